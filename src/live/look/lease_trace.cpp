// SPDX-License-Identifier: GPL-2.0-or-later
#include "live/look/lease_trace.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/perf_event.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <span>
#include <string>
#include <system_error>

#include "ckpt-lease/base/bytes.hpp"
#include "ckpt-lease/base/problem.hpp"
#include "io/file.hpp"
#include "live/fd.hpp"
#include "live/proc_text.hpp"
#include "live/ticks.hpp"
#include "live/tracefs.hpp"

namespace ckpt_lease::live {
namespace {

constexpr const char* kTracefs = "tracefs";
constexpr const char* kPerfEvent = "perf_event_open(2)";

const char* hint_for(int error) {
    if (error == EPERM || error == EACCES) {
        return "the time that is left is not known without it: on a kernel without the ckpt-lease "
               "patch it takes root, and CAP_SYS_ADMIN";
    }
    return "the time that is left is not known without it: the kernel needs CONFIG_FTRACE and "
           "CONFIG_PERF_EVENTS, or the ckpt-lease patch";
}

[[noreturn]] void fail_without_trace(const char* what, std::string_view action, int error) {
    throw Error(Error::Kind::io, {.file = what,
                                  .message = fmt::format("cannot {}: {}", action,
                                                         std::generic_category().message(error)),
                                  .hint = hint_for(error)});
}

LeaseEventFormat read_format() {
    const Fd tracefs = open_tracefs();
    if (!tracefs) {
        fail_without_trace(kTracefs, "open", errno);
    }
    constexpr const char* kFormat = "events/filelock/time_out_leases/format";
    const std::string text =
        read_if_there(fmt::format("/proc/self/fd/{}/{}", tracefs.get(), kFormat));
    const auto format = parse_event_format(text);
    if (!format) {
        fail_without_trace(kTracefs, "read events/filelock/time_out_leases/format",
                           text.empty() ? ENOENT : EPROTO);
    }
    return *format;
}

std::string read_timer_list() {
    io::File file(io::posix_system(), "/proc/timer_list", O_RDONLY);
    std::string text;
    std::array<char, 4096> piece{};
    std::size_t got = 0;
    // The first processor's lines tell: with many of them the rest is long.
    while (text.find("jiffies: ") == std::string::npos || text.back() != '\n') {
        got = file.read_some(std::as_writable_bytes(std::span(piece)));
        if (got == 0) {
            break;
        }
        text.append(piece.data(), got);
    }
    return text;
}

SteadyTime last_tick() {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
    return SteadyTime(std::chrono::seconds(time.tv_sec) + Nanoseconds(time.tv_nsec));
}

// CLOCK_MONOTONIC_COARSE is the time of the last tick: if it is the same before and after, the
// number belongs to it. Of several, the tick that was least late counts.
Jiffies read_jiffies() {
    constexpr int kTries = 200;
    constexpr int kEnough = 3;
    Jiffies best{.per_second = ticks_per_second()};
    int good = 0;
    for (int i = 0; i < kTries && good < kEnough; ++i) {
        const SteadyTime before = last_tick();
        const auto ticks = parse_timer_list(read_timer_list());
        if (!ticks) {
            fail_without_trace("/proc/timer_list", "tell the time", ENODATA);
        }
        const Jiffies now{*ticks, best.per_second, last_tick()};
        if (best.ticks == 0 || (before == now.since && now.since < best.moment_of(*ticks))) {
            best = now;
        }
        good += before == now.since ? 1 : 0;
    }
    return best;
}

}  // namespace

// What the kernel writes down of a tracepoint that this thread comes to. The memory is the
// kernel's, too: nothing in it is more than its length says.
class LeaseTrace::Events {
 public:
    Events(std::uint64_t tracepoint, std::size_t most) {
        perf_event_attr wanted{};
        wanted.size = sizeof(wanted);
        wanted.type = PERF_TYPE_TRACEPOINT;
        wanted.config = tracepoint;
        wanted.sample_period = 1;
        wanted.sample_type = PERF_SAMPLE_RAW;
        constexpr pid_t kThisThread = 0;
        constexpr int kAnyProcessor = -1;
        constexpr int kNoGroup = -1;
        fd_ = Fd(static_cast<int>(syscall(SYS_perf_event_open, &wanted, kThisThread, kAnyProcessor,
                                          kNoGroup, PERF_FLAG_FD_CLOEXEC)));
        if (!fd_) {
            fail_without_trace(kPerfEvent, "trace filelock:time_out_leases", errno);
        }
        map(most);
    }
    Events(const Events&) = delete;
    Events& operator=(const Events&) = delete;
    ~Events() { munmap(page_, page_size_ + size_); }

    void place(const std::function<int(int)>& move) { fd_ = Fd(move(fd_.release())); }

    // Hands over those that have come since it was asked last, if the ring was empty then. False if
    // there was no room for some. What was lost before is told in front of the first one.
    template <typename Visit>
    bool take(Visit visit) {
        const std::uint64_t head = __atomic_load_n(&page_->data_head, __ATOMIC_ACQUIRE);
        std::uint64_t tail = page_->data_tail;
        // Behind the last one there may be no room left to say that one was lost.
        bool is_all = head - tail + kRoom <= size_;
        bool is_first = true;
        while (tail < head) {
            perf_event_header header{};
            copy(tail, std::as_writable_bytes(std::span(&header, 1)));
            if (header.size < sizeof(header)) {
                is_all = false;
                break;
            }
            record_.resize(header.size);
            copy(tail, record_);
            tail += header.size;
            if (header.type == PERF_RECORD_SAMPLE) {
                visit(raw_of(record_));
            } else if (header.type == PERF_RECORD_LOST && !is_first) {
                is_all = false;
            }
            is_first = false;
        }
        __atomic_store_n(&page_->data_tail, head, __ATOMIC_RELEASE);
        return is_all;
    }

 private:
    // What an event takes at most: 88 bytes with the fields of today.
    static constexpr std::size_t kRoom = 256;

    // Whoever may lock little memory (RLIMIT_MEMLOCK, perf_event_mlock_kb) gets less.
    void map(std::size_t most) {
        constexpr std::size_t kLargest = std::size_t{16} << 20;
        size_ = std::bit_ceil(std::clamp(most * kRoom, 8 * page_size_, kLargest));
        void* memory = MAP_FAILED;
        while ((memory = mmap(nullptr, page_size_ + size_, PROT_READ | PROT_WRITE, MAP_SHARED,
                              fd_.get(), 0)) == MAP_FAILED &&
               size_ > page_size_) {
            size_ /= 2;
        }
        if (memory == MAP_FAILED) {
            fail_without_trace(kPerfEvent, "map its buffer", errno);
        }
        page_ = static_cast<perf_event_mmap_page*>(memory);
    }

    // From the ring, whose end may be in the middle.
    void copy(std::uint64_t from, std::span<std::byte> to) const {
        const std::byte* const data = reinterpret_cast<const std::byte*>(page_) + page_size_;
        const auto start = static_cast<std::size_t>(from % size_);
        const std::size_t first = std::min(to.size(), size_ - start);
        std::memcpy(to.data(), data + start, first);
        std::memcpy(to.data() + first, data, to.size() - first);
    }

    // Behind the header stand the length of the tracepoint's own bytes, and those.
    static std::span<const std::byte> raw_of(std::span<const std::byte> record) {
        std::uint32_t length = 0;
        const auto rest = record.subspan(sizeof(perf_event_header));
        if (rest.size() < sizeof(length)) {
            return {};
        }
        std::memcpy(&length, rest.data(), sizeof(length));
        return rest.subspan(sizeof(length),
                            std::min<std::size_t>(length, rest.size() - sizeof(length)));
    }

    Fd fd_;
    std::size_t page_size_ = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    std::size_t size_ = 0;  // of the ring: bytes behind the first page
    perf_event_mmap_page* page_ = nullptr;
    std::vector<std::byte> record_;
};

LeaseTrace::LeaseTrace(std::size_t most)
    : format_(read_format()),
      events_(std::make_unique<Events>(format_.id, most)),
      jiffies_(read_jiffies()) {}

LeaseTrace::~LeaseTrace() = default;

void LeaseTrace::place(const std::function<int(int)>& move) {
    events_->place(move);
}

std::optional<std::vector<TracedLease>> LeaseTrace::read(int fd, const Inode& inode,
                                                         SteadyTime from) {
    // Of what this thread has done before.
    static_cast<void>(events_->take([](std::span<const std::byte>) {}));
    if (fcntl(fd, F_GETLEASE) < 0) {
        fail_without_trace("fcntl(2)", "ask for the lease", errno);
    }
    std::vector<TracedLease> leases;
    const bool is_all = events_->take([&](std::span<const std::byte> event) {
        const auto lease = read_event(event, format_, jiffies_, from);
        if (lease && lease->inode == inode) {
            leases.push_back(*lease);
        }
    });
    return is_all ? std::optional(std::move(leases)) : std::nullopt;
}

}  // namespace ckpt_lease::live
