// SPDX-License-Identifier: GPL-2.0-or-later
#include "render/in_order.hpp"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <csignal>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace ckpt_lease {
namespace {

// More of them would only wait for the one that writes.
constexpr std::size_t kMostThreads = 4;
// What one thread does in the time that it takes to start another.
constexpr std::size_t kPiecesWorthAThread = 4;

using Render = std::function<void(std::size_t, std::string&)>;

class Pieces {
 public:
    Pieces(std::size_t count, const Render& render) : count_(count), render_(render) {}

    // Renders pieces until there are none left.
    void help() {
        std::unique_lock lock(mutex_);
        while (true) {
            changed_.wait(lock, [&] { return is_over() || has_room(); });
            if (is_over()) {
                return;
            }
            render_next(lock);
        }
    }

    // Puts the next piece, in their order, in the place of `text`.
    void take(std::string& text) {
        std::unique_lock lock(mutex_);
        Slot& slot = slots_[taken_ % slots_.size()];
        while (!slot.ready && !error_) {
            if (has_room()) {
                render_next(lock);
            } else {
                changed_.wait(lock);
            }
        }
        if (error_) {
            std::rethrow_exception(error_);
        }
        slot.ready = false;
        std::swap(slot.text, text);
        ++taken_;
        changed_.notify_all();
    }

    void stop() {
        const std::lock_guard lock(mutex_);
        stopped_ = true;
        changed_.notify_all();
    }

 private:
    struct Slot {
        std::string text;
        bool ready = false;
    };

    [[nodiscard]] bool is_over() const { return stopped_ || error_ || begun_ == count_; }
    [[nodiscard]] bool has_room() const {
        return begun_ < count_ && begun_ < taken_ + slots_.size();
    }

    void render_next(std::unique_lock<std::mutex>& lock) {
        const std::size_t piece = begun_++;
        Slot& slot = slots_[piece % slots_.size()];
        lock.unlock();
        std::exception_ptr error;
        try {
            render_(piece, slot.text);
        } catch (...) {
            error = std::current_exception();
        }
        lock.lock();
        slot.ready = true;
        error_ = error_ ? error_ : error;
        changed_.notify_all();
    }

    const std::size_t count_;
    const Render& render_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::array<Slot, kMostThreads> slots_;
    std::size_t begun_ = 0;  // pieces, the first ones
    std::size_t taken_ = 0;
    std::exception_ptr error_;
    bool stopped_ = false;
};

// Threads that have stopped when this is destroyed. Signals are for the thread that was there
// first.
class Helpers {
 public:
    Helpers(Pieces& pieces, std::size_t count) : pieces_(pieces) {
        sigset_t all;
        sigset_t before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        try {
            while (threads_.size() < count) {
                threads_.emplace_back([&pieces] { pieces.help(); });
            }
        } catch (const std::exception&) {
            // No more threads are to be had: it goes without.
        }
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
    }
    Helpers(const Helpers&) = delete;
    Helpers& operator=(const Helpers&) = delete;
    ~Helpers() {
        pieces_.stop();
        for (std::thread& thread : threads_) {
            thread.join();
        }
    }

 private:
    Pieces& pieces_;
    std::vector<std::thread> threads_;
};

}  // namespace

void in_order(std::size_t pieces, const Render& render,
              const std::function<void(std::string_view)>& write) {
    const std::size_t threads =
        std::min({kMostThreads, std::size_t{std::thread::hardware_concurrency()},
                  pieces / kPiecesWorthAThread});
    Pieces all(pieces, render);
    const Helpers helpers(all, threads > 1 ? threads - 1 : 0);
    std::string text;
    for (std::size_t i = 0; i < pieces; ++i) {
        all.take(text);
        write(text);
    }
}

}  // namespace ckpt_lease
