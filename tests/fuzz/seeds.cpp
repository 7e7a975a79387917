// SPDX-License-Identifier: GPL-2.0-or-later
// Writes what fuzzing begins with: seeds FOLDER, which gets a folder for each target. Small images
// of all that the format has, in both byte orders, layouts and rules files, and journals.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "ckpt-lease/base/bytes.hpp"
#include "ckpt-lease/linux_cr/layout.hpp"
#include "fuzz/journal_input.hpp"
#include "fuzz/subject_input.hpp"
#include "support/criu_images.hpp"
#include "support/image_builder.hpp"
#include "support/tar.hpp"

namespace {

namespace fs = std::filesystem;
using ckpt_lease::ByteOrder;
using test_support::breaking;
using test_support::held;
using test_support::ImageBuilder;

constexpr std::size_t kPolicyPrefix = 16;
constexpr std::size_t kLockPrefix = 32;

class Folder {
 public:
    explicit Folder(const fs::path& path) : path_(path) { fs::create_directories(path); }

    void write(const std::string& bytes) {
        std::ofstream file(path_ / ("seed-" + std::to_string(count_++)), std::ios::binary);
        file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    }

 private:
    fs::path path_;
    int count_ = 0;
};

// Threads that share a table, a lease through two descriptors, credentials inside a file, a task's
// folders, a dead task.
ImageBuilder large_image(ByteOrder order) {
    ImageBuilder image(order);
    image.header().pids({{7}, {8, 3}, {9}}).tree({1, 2, 3});
    image.task("holder").table(1, 3).objref(4, 2).objref(14, 9).record(115, std::string(24, '\1'));
    image.file().file_name("/srv/a").file_desc(2, 3).locks({breaking(5, 250'000'000)});
    image.file_desc(2, 4).locks({breaking(5, 250'000'000)});
    image.open_file(3, "/srv/b").file_desc(3, 5).locks({held(1), test_support::posix_lock(1, 9)});
    image.fs(6, "/", "/srv").task_objs(1);
    image.task("thread").task_objs(1).task("dead").tail();
    return image;
}

ImageBuilder old_image(ByteOrder order) {
    ImageBuilder image(order);
    image.header({.constants = 4, .time = 0}).tree({7});
    image.task("t").table(1, 1).open_file(2, "/f").file_desc(2, 0);
    image.locks({breaking(0xffffffff), breaking(0, 1), held(0)}).task_objs(1).tail();
    return image;
}

std::vector<std::string> images() {
    std::vector<std::string> all;
    for (const ByteOrder order : {ByteOrder::little, ByteOrder::big}) {
        all.push_back(ImageBuilder(order).header_record().bytes());
        all.push_back(ImageBuilder(order).header().error("no").bytes());
        all.push_back(test_support::small_image(order).bytes());
        all.push_back(large_image(order).bytes());
        all.push_back(old_image(order).bytes());
        all.push_back(test_support::small_image(order).bytes() + "rest");
    }
    return all;
}

const char* const kRules[] = {
    R"({"rules":[{"match":{"path":"/srv/*","fd":3,"target":"F_RDLCK"},"policy":{"add":-5,"max":"1m30s"}},)"
    R"({"match":{"comm":"backup*","pid":7,"index":0},"policy":{"scale":0.5,"min":"250ms"}}],)"
    R"("default":{"keep":true,"renotify":true}})",
    R"({"rules":[{"policy":{"favor-holder":true}},{"policy":{"elapsed":true}}]})",
    R"({"rules":[{"policy":{"set":"1h"}},{"policy":{"favour-breaker":true}},{"policy":{"scale":1e-5}}]})",
    "1m30s",
    "-2147483648.5",
    "1d2h3m4s5ms6us7ns",
    "0.000000001",
    "2026-11-22T19:33:00.5+01:00",
    "@1795375980"};

// The path of the image is followed by zeros, or not.
constexpr std::string_view kPaths[] = {"/d/image", "/srv/checkpoints/job.img"};

// Edits of `image`, as far apart as it has room, of one to eight bytes.
std::string edits_of(const std::string& image, std::size_t first, std::size_t count) {
    using test_support::Payload;
    std::string all;
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t room = (image.size() - first) / count;
        const std::size_t offset = first + i * room;
        const std::size_t length = std::min(8 - i % 8, room);
        std::string old_bytes = image.substr(offset, length);
        std::string new_bytes = old_bytes;
        for (char& byte : new_bytes) {
            byte = static_cast<char>(~byte);
        }
        old_bytes.resize(8, '\0');
        new_bytes.resize(8, '\0');
        Payload edit(ByteOrder::little);
        all += edit.u64(offset).u64(length).text(old_bytes).text(new_bytes).bytes();
    }
    return all;
}

// A whole one that belongs to its image.
std::string journal(std::uint64_t purpose, std::string image, std::size_t first,
                    std::size_t count) {
    namespace input = fuzz::journal_input;
    const std::string_view path = kPaths[count % std::size(kPaths)];
    test_support::Payload bytes(ByteOrder::little);
    bytes.text(input::kMagic).u32(1).u32(purpose).zeros(4 * 8);
    bytes.u64(std::min<std::uint64_t>(first, input::kMostHead)).u64(path.size()).u64(count);
    bytes.text(path).zeros(input::padded(path.size()) - path.size());
    bytes.text(count > 0 ? edits_of(image, first, count) : "").zeros(input::kChecksum);
    std::string all = bytes.bytes();
    input::repair(all, image, input::kRepairAll, 0);
    return all;
}

// Beside images whose edits hold the old bytes, the new ones, or some of each. With and without
// repairs: those that need none are seen to be whole.
void write_journals(const fs::path& to) {
    namespace input = fuzz::journal_input;
    struct Shape {
        char image;
        std::size_t first;
        std::size_t edits;
    };
    constexpr Shape kShapes[] = {{0, 300, 0}, {0, 24, 1},    {0, 292, 1}, {0, 24, 2}, {0, 0, 48},
                                 {1, 600, 3}, {1, 4200, 20}, {2, 0, 1},   {3, 0, 0}};
    Folder folder(to);
    for (const Shape& shape : kShapes) {
        const std::string image = input::make_image(static_cast<std::uint8_t>(shape.image));
        for (const std::uint64_t purpose : {1U, 2U}) {
            for (const char written : {'\0', '\x5a', '\xff'}) {
                for (const char repairs : {char{input::kRepairPlaces}, char{input::kRepairAll}}) {
                    std::string prefix{repairs, shape.image, written, '\0', '\x18', '\0', '\x09'};
                    prefix.resize(input::kPrefix, '\0');
                    folder.write(prefix + journal(purpose, image, shape.first, shape.edits));
                }
            }
        }
    }
}

// Each image by itself, and archives with them at the top and in their folder.
void write_checkpoints(const fs::path& to) {
    namespace criu = test_support::criu;
    Folder folder(to);
    constexpr const char* kImages[] = {"filelocks.img", "files.img", "fdinfo-2.img", "pstree.img",
                                       "core-7.img",    "ids-7.img", "inventory.img"};
    std::map<std::string, std::string> images = criu::small_checkpoint();
    images["filelocks.img"] += criu::lock_entry(1, 1, 7, 3, 100, 8) + criu::lock_entry(8, 4, 7, 3);
    for (char which = 0; which < 7; ++which) {
        folder.write(which + std::string(1, '\x1b') + images.at(kImages[+which]));
    }
    for (const char* const place : {"", "checkpoint/"}) {
        for (const bool is_captured : {false, true}) {
            test_support::TarMembers members;
            for (const auto& [name, bytes] : images) {
                members.emplace_back(place + name, bytes);
            }
            if (is_captured) {
                members.emplace_back(place + std::string("ckpt-lease.img"), "c");
            }
            folder.write((is_captured ? "\7\3" : "\17\3") + test_support::tar(members));
        }
    }
}

// All kinds of subjects with all targets, as the small checkpoint has them; and each image once
// more as bytes that are to be fuzzed, with and without captured leases.
void write_subjects(const fs::path& to) {
    namespace input = fuzz::subject_input;
    Folder folder(to);
    const std::map<std::string, std::string> images = input::usual_images();
    constexpr std::uint8_t kCaptured = 1U << (std::size(input::kImages) - 1);
    constexpr std::uint8_t kPolicies = 8;
    for (std::uint8_t kind = 0; kind < input::kKinds; ++kind) {
        for (std::uint8_t target = 0; target < input::kTargets; ++target) {
            for (const std::uint8_t absent : {std::uint8_t{0}, kCaptured}) {
                for (std::uint8_t policy = 0; policy < kPolicies; ++policy) {
                    folder.write(input::prefix({.kind = kind,
                                                .folder = policy,
                                                .target = target,
                                                .policy = policy,
                                                .absent = absent}));
                }
            }
        }
        for (std::size_t i = 0; i < std::size(input::kImages); ++i) {
            for (const std::uint8_t absent : {std::uint8_t{0}, kCaptured}) {
                const auto fuzzed = static_cast<std::uint8_t>(1U << i);
                if (fuzzed != absent) {
                    folder.write(input::prefix({.kind = kind,
                                                .policy = static_cast<std::uint8_t>(i),
                                                .absent = absent,
                                                .fuzzed = fuzzed}) +
                                 images.at(input::kImages[i]));
                }
            }
        }
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        return 2;
    }
    const fs::path to = argv[1];
    Folder walker(to / "walker");
    Folder policy(to / "policy");
    for (const std::string& image : images()) {
        walker.write(image);
        for (char kind = 0; kind < 7; ++kind) {
            policy.write(kind + std::string(kPolicyPrefix - 1, '\x05') + image);
        }
    }
    Folder lock_record(to / "lock_record");
    for (char layout = 0; layout < 10; ++layout) {
        const std::string image = test_support::small_image(ByteOrder::little).bytes();
        const std::size_t at = test_support::small_image(ByteOrder::little).offset_of(310);
        lock_record.write(layout + std::string(kLockPrefix - 1, '\1') + image.substr(at, 40));
    }
    Folder layout(to / "layout");
    for (const auto& built_in : ckpt_lease::linux_cr::built_in_layouts()) {
        layout.write(std::string(built_in.json));
    }
    Folder rules(to / "rules");
    for (const char* const text : kRules) {
        rules.write(text);
    }
    write_journals(to / "journal");
    write_checkpoints(to / "criu");
    write_subjects(to / "subject");
}
