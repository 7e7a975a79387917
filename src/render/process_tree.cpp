// SPDX-License-Identifier: GPL-2.0-or-later
#include "render/process_tree.hpp"

#include <cstdint>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace ckpt_lease::render {
namespace {

// As lsblk(8) draws them.
struct Lines {
    std::string_view branch;
    std::string_view last;
    std::string_view past;
};
constexpr Lines kAscii{"|-", "`-", "| "};
constexpr Lines kUtf8{"\u251c\u2500", "\u2514\u2500", "\u2502 "};

class Tree {
 public:
    Tree(std::span<const ProcessFacts> processes, const std::vector<bool>& wanted)
        : processes_(processes), drawn_(wanted), children_(processes.size()) {
        for (std::size_t i = 0; i < processes.size(); ++i) {
            places_.emplace(processes[i].task.pid, i);
        }
        find_parents();
        for (std::size_t i = 0; i < processes.size(); ++i) {
            want_parents(i);
        }
        for (std::size_t i = 0; i < processes.size(); ++i) {
            if (drawn_[i]) {
                parents_[i] ? children_[*parents_[i]].push_back(i) : roots_.push_back(i);
            }
        }
    }

    void draw(const Lines& lines, const std::function<void(const TreeNode&)>& visit) const {
        struct Pending {
            std::size_t process;
            std::string before;
            std::string indent;
        };
        for (const std::size_t root : roots_) {
            std::vector<Pending> pending{{root, {}, {}}};
            while (!pending.empty()) {
                const Pending next = std::move(pending.back());
                pending.pop_back();
                const std::vector<std::size_t>& children = children_[next.process];
                visit({next.process, next.before,
                       next.indent + std::string(children.empty() ? "  " : lines.past)});
                for (std::size_t i = children.size(); i-- > 0;) {
                    const bool is_last = i + 1 == children.size();
                    pending.push_back(
                        {children[i],
                         next.indent + std::string(is_last ? lines.last : lines.branch),
                         next.indent + std::string(is_last ? "  " : lines.past)});
                }
            }
        }
    }

 private:
    // What /proc says of one process after the other may make a ring of them, where pids are used
    // again: who would close it has no parent.
    void find_parents() {
        parents_.resize(processes_.size());
        for (std::size_t i = 0; i < processes_.size(); ++i) {
            const ProcessFacts& process = processes_[i];
            const bool is_thread = process.leader != process.task.pid;
            const auto found = places_.find(is_thread ? process.leader : process.parent);
            if (found != places_.end() && !is_below(found->second, i)) {
                parents_[i] = found->second;
            }
        }
    }

    [[nodiscard]] bool is_below(std::size_t process, std::size_t other) const {
        std::optional<std::size_t> above = process;
        while (above && *above != other) {
            above = parents_[*above];
        }
        return above.has_value();
    }

    void want_parents(std::size_t process) {
        for (auto above = parents_[process]; drawn_[process] && above && !drawn_[*above];
             above = parents_[*above]) {
            drawn_[*above] = true;
        }
    }

    std::span<const ProcessFacts> processes_;
    std::unordered_map<std::int32_t, std::size_t> places_;
    std::vector<std::optional<std::size_t>> parents_;
    std::vector<bool> drawn_;
    std::vector<std::vector<std::size_t>> children_;
    std::vector<std::size_t> roots_;
};

}  // namespace

void draw_tree(std::span<const ProcessFacts> processes, const std::vector<bool>& wanted, bool utf8,
               const std::function<void(const TreeNode&)>& visit) {
    Tree(processes, wanted).draw(utf8 ? kUtf8 : kAscii, visit);
}

}  // namespace ckpt_lease::render
