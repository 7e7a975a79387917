// SPDX-License-Identifier: GPL-2.0-or-later
#include "history.hpp"

#include <algorithm>

#include "runner.hpp"

namespace proof {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kBreakTime = 5 * kSecond;
// Nearer to a deadline than this, it is not asked whether somebody still waits.
constexpr std::int64_t kSoon = kSecond * 3 / 20;
// What is longer is not waited for.
constexpr std::int64_t kLongTime = 2 * kSecond;

unsigned draw_below(std::mt19937& random, unsigned limit) {
    return static_cast<unsigned>(random() % limit);
}

}  // namespace

History::History(const Scratch& scratch, std::mt19937& random)
    : scratch_(scratch),
      random_(random),
      model_(0, kBreakTime),
      began_(now()),
      type_(draw_below(random, 2) == 0 ? F_WRLCK : F_RDLCK) {
    const std::size_t count = 1 + draw_below(random, 4);
    const std::size_t openers = 1 + draw_below(random, 4);
    const std::size_t holders = type_ == F_WRLCK ? 1 : count;
    model_ = Model(holders, kBreakTime);
    for (std::size_t i = 0; i < holders; ++i) {
        holders_.push_back(std::make_unique<Holder>(scratch.file, O_RDONLY));
    }
    for (std::size_t i = 0; i < openers; ++i) {
        openers_.push_back({draw_below(random, 2) == 0, nullptr});
    }
}

void History::note(const std::string& text) {
    ++steps_;
    log_ += format("%s%.2f: %s", log_.empty() ? "" : "; ", seconds(now() - began_), text.c_str());
}

void History::play() {
    try {
        for (std::size_t i = 0; i < holders_.size(); ++i) {
            take(i);
        }
        const unsigned length = 5 + draw_below(random_, 6);
        for (unsigned i = 0; i < length; ++i) {
            const Draw draw{draw_below(random_, 16), draw_below(random_, 4),
                            draw_below(random_, 1000), draw_below(random_, 1000)};
            step(draw);
            check();
        }
        finish();
    } catch (const std::exception& error) {
        throw Failure(std::string(error.what()) + "; the history: " + log_);
    }
}

void History::step(const Draw& draw) {
    const std::size_t holder = draw.who % holders_.size();
    const std::size_t opener = draw.who % openers_.size();
    switch (draw.what) {
        case 0:
        case 1:
        case 2:
        case 3:
        case 4:
            start(opener);
            break;
        case 5:
        case 6:
        case 7:
        case 8:
        case 9:
            restart(draw);
            break;
        case 10:
            note(format("wait %u ms", draw.amount % 300));
            sleep_for((draw.amount % 300) / 1000.0);
            break;
        case 11:
            set(holder, F_UNLCK);
            break;
        case 12:
            set(holder, F_RDLCK);
            break;
        case 13:
            set(holder, model_.leases()[holder].type);
            break;
        case 14:
            take(holder);
            break;
        default:
            wait_for_deadline();
            break;
    }
}

bool History::anybody_waits() const {
    return std::any_of(openers_.begin(), openers_.end(),
                       [](const Opener& opener) { return opener.process != nullptr; });
}

void History::take(std::size_t holder) {
    // Who sleeps in open() has the file open, as far as F_SETLEASE is concerned.
    if (model_.leases()[holder].type != F_UNLCK || anybody_waits()) {
        return;
    }
    note(format("holder %zu takes %s", holder, type_name(type_).c_str()));
    holders_[holder]->want_signals();
    holders_[holder]->take(type_);
    model_.set(holder, type_);
}

void History::set(std::size_t holder, int type) {
    const Model::Lease& lease = model_.leases()[holder];
    // While it is being broken, a holder does what it is told or more.
    const bool complies = type == F_UNLCK || type == lease.target;
    if (lease.type == F_UNLCK || (lease.type == F_RDLCK && type == F_WRLCK) ||
        (anybody_waits() && !(lease.state == Model::State::breaking && complies)) ||
        (lease.state == Model::State::breaking && !complies)) {
        return;
    }
    // What the deadline has done meanwhile is F_SETLEASE's concern: too near to tell.
    if (lease.state == Model::State::breaking && lease.deadline < now() + kSoon) {
        return;
    }
    note(format("holder %zu sets %s", holder, type_name(type).c_str()));
    released_ = now();
    require_equal(holders_[holder]->set(type), 0, "F_SETLEASE " + type_name(type));
    model_.set(holder, type);
    if (type == F_UNLCK) {
        holders_[holder]->want_signals();
    }
}

void History::start(std::size_t which) {
    Opener& opener = openers_[which];
    if (opener.process) {
        return;
    }
    // A writer beside a downgrade: two deadlines, which have cases of their own.
    for (const Model::Lease& lease : model_.leases()) {
        if (opener.writer && lease.state != Model::State::idle && lease.target == F_RDLCK) {
            return;
        }
    }
    note(format("%s %zu opens", opener.writer ? "writer" : "reader", which));
    opener.process = std::make_unique<Breaker>(scratch_.file, opener.writer ? O_WRONLY : O_RDONLY);
    released_ = now();
    opener.process->start();
    if (!model_.open(opener.writer, released_)) {
        let_in(opener);
    }
}

void History::let_in(Opener& opener) {
    const std::int64_t due = std::max(model_.in_at(opener.writer), released_);
    const bool fresh = std::any_of(model_.leases().begin(), model_.leases().end(),
                                   [](const Model::Lease& lease) { return lease.fresh; });
    const std::int64_t in = opener.process->in(seconds(std::max<std::int64_t>(due - now(), 0)) + 3);
    const double late = seconds(in - due);
    const double early = fresh ? jiffies_lag() : 0.001;
    const double latest = due == released_
                              ? at_once() + 0.1
                              : lateness(seconds(due - std::min(due, released_))) + 0.1;
    note(format("in, %.3f s late", late));
    require(late >= -early && late <= latest,
            format("the open() returned %.3f s after it had to, at most %.3f", late, latest));
    opener.process.reset();
}

void History::check() {
    for (Opener& opener : openers_) {
        if (!opener.process) {
            continue;
        }
        const bool waits = model_.waits(opener.writer);
        if (!waits || model_.in_at(opener.writer) < now() + kSoon) {
            let_in(opener);
        } else {
            require(opener.process->waiting() || now() + kSecond / 50 > model_.in_at(opener.writer),
                    "an open() returned that has to wait");
        }
    }
    model_.expire(now());
    for (std::size_t i = 0; i < holders_.size(); ++i) {
        const std::string who = format("holder %zu", i);
        holders_[i]->require_type(model_.seen_type(i), who.c_str());
        require_equal(holders_[i]->signals(), model_.leases()[i].signals, who + ", signals");
    }
}

void History::compare_record(std::size_t holder, const std::vector<Lock>& locks,
                             const Moment& moment) {
    const Model::Lease& lease = model_.leases()[holder];
    const std::string who = format("holder %zu's record: ", holder);
    const bool breaks = lease.state != Model::State::idle;
    if (lease.type == F_UNLCK) {
        require(locks.empty(), who + "there should be none");
        return;
    }
    // Somebody waits, and the deadline comes just now: it may be over.
    if (lease.state == Model::State::breaking && lease.deadline < moment.after + kSecond / 10 &&
        (locks.empty() || locks[0].fl_type == lease.target)) {
        model_.set(holder, locks.empty() ? F_UNLCK : lease.target);
        return;
    }
    require_equal(static_cast<long>(locks.size()), 1, who + "number");
    const Lock& lock = locks[0];
    const std::string got = who + describe(lock);
    require_equal(lock.fl_flags, kLease, got);
    if (!breaks) {
        require_equal(lock.fl_type, lease.type, got);
        return;
    }
    require_equal(lock.fl_type, lease.target | kInProgress, got);
    require_equal(lock.fl_type_prev, lease.type, got);
    require_equal(lock.fl_break_notified, lease.notified ? 1 : 0, got);
    if (lease.deadline == Model::kNever) {
        require_equal(lock.fl_rem_lease, kNoDeadline, got);
        return;
    }
    const auto slack = static_cast<std::int64_t>(1e9 * (lease.fresh ? jiffies_lag() : 0));
    const auto below = static_cast<std::int64_t>(1e9 * tick()) + slack;
    const std::int64_t most = std::max<std::int64_t>(lease.deadline - moment.before + slack, 0);
    const std::int64_t least = lease.deadline - moment.after - below;
    require(remaining(lock) <= most && remaining(lock) >= least,
            got + format(", wanted %.6f to %.6f", seconds(least), seconds(most)));
}

void History::edit(const Draw& draw) {
    const unsigned how = draw.variant % 20;
    const bool by_program = draw.variant < 10;
    const double time = (draw.amount % 1300) / 1000.0;
    if (by_program) {
        note(format("ckpt-lease policy --set %.3f", time));
        run_ckpt_lease({"policy", format("--set=%.3f", time)}, scratch_.image);
    } else if (how <= 14) {
        // Each of several holders gets another time.
        int i = 0;
        edit_leases(scratch_.image, [&](Lock& lock) {
            lock.fl_break_notified = how == 1 || how == 2 ? 0 : lock.fl_break_notified;
            set_remaining(lock, how == 3 ? 0 : time + 0.1 * (how % 2 == 0 ? i : 3 - i));
            lock.fl_rem_lease = how == 4 ? kNoDeadline : lock.fl_rem_lease;
            ++i;
        });
        note(format("edited: %.3f s, variant %u", time, how));
    }
}

void History::restart(const Draw& draw) {
    note("checkpoint");
    std::vector<Holder*> holders;
    for (const auto& holder : holders_) {
        holders.push_back(holder.get());
    }
    const Way way = draw.variant % 3 == 0 ? Way::outside : Way::inside;
    const Moment moment = checkpoint(scratch_.image, holders, {}, way);
    const std::vector<SavedDescriptor> saved = read_image(scratch_.image);
    require_equal(static_cast<long>(saved.size()), static_cast<long>(holders_.size()), "lists");
    for (std::size_t i = 0; i < saved.size(); ++i) {
        compare_record(i, saved[i].locks, moment);
    }
    // A checkpoint changes nothing.
    check();
    for (Opener& opener : openers_) {
        opener.process.reset();
    }
    for (const auto& holder : holders_) {
        holder->process().kill();
    }
    edit(draw);
    if (draw.who == 0) {
        // A checkpoint of what is not running takes no time.
        sleep_for(0.1);
    }
    restore(draw);
}

void History::restore(const Draw& draw) {
    const Way way = draw.variant % 2 == 0 ? Way::outside : Way::inside;
    Restart restarted(scratch_.image, way);
    note(way == Way::outside ? "restored outside" : "restored inside");
    const std::vector<SavedDescriptor> saved = read_image(scratch_.image);
    for (std::size_t i = 0; i < saved.size(); ++i) {
        Model::Lease lease = kNoLease;
        if (!saved[i].locks.empty()) {
            const Lock& lock = saved[i].locks[0];
            lease.type = lock.fl_type;
            if ((lock.fl_type & kInProgress) != 0) {
                lease.type = lock.fl_type_prev;
                lease.state = Model::State::armed;
                lease.target = lock.fl_type & ~kInProgress;
                lease.notified = lock.fl_break_notified != 0;
                lease.deadline = lock.fl_rem_lease == kNoDeadline
                                     ? Model::kNever
                                     : restarted.begin + remaining(lock);
            }
        }
        model_.restore(i, lease);
        holders_[i] = std::move(restarted.holders[i]);
    }
}

void History::wait_for_deadline() {
    for (Opener& opener : openers_) {
        if (opener.process && model_.in_at(opener.writer) < now() + kLongTime) {
            note("wait for a deadline");
            let_in(opener);
            return;
        }
    }
}

void History::finish() {
    for (std::size_t i = 0; i < openers_.size(); ++i) {
        wait_for_deadline();
        check();
    }
    for (std::size_t i = 0; i < holders_.size(); ++i) {
        set(i, F_UNLCK);
    }
    check();
    for (std::size_t i = 0; i < openers_.size(); ++i) {
        if (openers_[i].process) {
            wait_for_deadline();
            check();
        }
    }
    require(!anybody_waits(), "somebody still waits");
}

void add_history_cases(Cases& cases, unsigned count, unsigned seed) {
    for (unsigned i = 0; i < count; ++i) {
        cases.push_back({format("history-%u", i),
                         [i, seed](const Scratch& scratch) {
                             std::seed_seq numbers{seed, i};
                             std::mt19937 random(numbers);
                             History history(scratch, random);
                             history.play();
                             write_file(scratch.folder + "/steps", std::to_string(history.steps()));
                             return std::string();
                         },
                         true});
    }
}

}  // namespace proof
