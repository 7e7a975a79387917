// SPDX-License-Identifier: GPL-2.0-or-later
#include "disk_model.hpp"

#include <algorithm>
#include <functional>
#include <unordered_set>

namespace crash {

void Disk::State::write(Inode inode, std::uint64_t offset, const std::string& bytes) {
    std::string& file = contents[inode];
    const auto at = static_cast<std::size_t>(offset);
    file.resize(std::max(file.size(), at + bytes.size()), '\0');
    file.replace(at, bytes.size(), bytes);
}

void Disk::State::apply(const Change& change) {
    if (!change.is_name) {
        if (change.is_truncation) {
            contents[change.inode].resize(static_cast<std::size_t>(change.offset), '\0');
        } else {
            write(change.inode, change.offset, change.bytes);
        }
        return;
    }
    if (!change.old_name.empty()) {
        names.erase(change.old_name);
    }
    if (change.removes) {
        names.erase(change.name);
    } else {
        names[change.name] = change.inode;
    }
}

std::size_t Disk::State::hash() const {
    std::string names_and_bytes;
    for (const auto& [name, inode] : names) {
        names_and_bytes += name + '/' + contents.at(inode) + '/';
    }
    return std::hash<std::string>()(names_and_bytes);
}

std::size_t Disk::hash() const {
    return shown_.hash();
}

void Disk::put(const std::string& name, const std::string& bytes) {
    const Inode inode = next_++;
    for (State* const state : {&durable_, &shown_}) {
        state->names[name] = inode;
        state->contents[inode] = bytes;
    }
}

void Disk::set_status(const std::string& name, uid_t owner, mode_t mode, nlink_t names) {
    statuses_[shown_.names.at(name)] = {owner, mode, names};
}

std::map<std::string, std::string> Disk::files() const {
    std::map<std::string, std::string> files;
    for (const auto& [name, inode] : shown_.names) {
        files[name] = shown_.contents.at(inode);
    }
    return files;
}

void Disk::change(Change change) {
    shown_.apply(change);
    unflushed_.push_back(std::move(change));
}

void Disk::flush(Inode inode, bool names) {
    std::vector<Change> rest;
    for (Change& change : unflushed_) {
        if (names ? change.is_name : !change.is_name && change.inode == inode) {
            durable_.apply(change);
        } else {
            rest.push_back(std::move(change));
        }
    }
    unflushed_ = std::move(rest);
}

bool Disk::may_be_seen(Inode inode) const {
    const auto is_seen = [&](const auto& entry) {
        return entry.second == inode && !entry.first.starts_with('.');
    };
    return std::any_of(durable_.names.begin(), durable_.names.end(), is_seen) ||
           std::any_of(shown_.names.begin(), shown_.names.end(), is_seen) ||
           std::any_of(unflushed_.begin(), unflushed_.end(), [&](const Change& change) {
               return change.is_name && is_seen(std::pair(change.name, change.inode));
           });
}

// Each change that was not flushed is there, or is not, or (bytes) its first or its second half is.
std::vector<Disk> Disk::after_power_cut() const {
    std::vector<State> states{durable_};
    for (const Change& change : unflushed_) {
        // Files with hidden names are being made: until they have another, nobody reads them.
        if (!change.is_name && !may_be_seen(change.inode)) {
            continue;
        }
        std::vector<Change> variants{change};
        if (!change.is_name && !change.is_truncation && change.bytes.size() > 1) {
            const std::size_t half = change.bytes.size() / 2;
            Change first = change;
            first.bytes.resize(half);
            Change second = change;
            second.bytes.erase(0, half);
            second.offset += half;
            variants.push_back(std::move(first));
            variants.push_back(std::move(second));
        }
        const std::size_t before = states.size();
        for (std::size_t i = 0; i < before; ++i) {
            for (const Change& variant : variants) {
                State state = states[i];
                state.apply(variant);
                states.push_back(std::move(state));
            }
        }
    }
    std::vector<Disk> disks;
    std::unordered_set<std::size_t> seen;
    for (State& state : states) {
        // A name can outlive the bytes of its file, never the file.
        for (const auto& [name, inode] : state.names) {
            state.contents.try_emplace(inode);
        }
        if (seen.insert(state.hash()).second) {
            Disk disk;
            disk.next_ = next_;
            disk.statuses_ = statuses_;
            disk.durable_ = state;
            disk.shown_ = std::move(state);
            disks.push_back(std::move(disk));
        }
    }
    return disks;
}

}  // namespace crash
