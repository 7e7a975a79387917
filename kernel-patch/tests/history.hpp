// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "job.hpp"
#include "model.hpp"

namespace proof {

/// One random history of one file: real processes and the model, side by side.
class History {
 public:
    History(const Scratch& scratch, std::mt19937& random);

    /// Plays it to the end. A Failure has all steps in it.
    void play();
    /// How much happened.
    int steps() const { return steps_; }

 private:
    struct Opener {
        bool writer;
        std::unique_ptr<Breaker> process;  ///< none: not there, or in and gone
    };

    /// What a step could do. All of it is drawn before it is known what is possible, so that the
    /// random numbers of a history don't depend on how fast the machine is.
    struct Draw {
        unsigned what;
        unsigned who;
        unsigned amount;
        unsigned variant;
    };

    void step(const Draw& draw);
    void take(std::size_t holder);
    void set(std::size_t holder, int type);
    void start(std::size_t opener);
    void restart(const Draw& draw);
    void edit(const Draw& draw);
    void compare_record(std::size_t holder, const std::vector<Lock>& locks, const Moment& moment);
    void restore(const Draw& draw);
    void wait_for_deadline();
    void finish();

    bool anybody_waits() const;
    /// Everything that can be seen is as the model says.
    void check();
    void let_in(Opener& opener);
    void note(const std::string& text);

    const Scratch& scratch_;
    std::mt19937& random_;
    Model model_;
    std::vector<std::unique_ptr<Holder>> holders_;
    std::vector<Opener> openers_;
    std::int64_t began_;
    std::int64_t released_ = 0;  ///< when a holder last changed its lease
    int type_;                   ///< of lease
    int steps_ = 0;
    std::string log_;
};

}  // namespace proof
