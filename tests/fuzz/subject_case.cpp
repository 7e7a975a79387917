// SPDX-License-Identifier: GPL-2.0-or-later
#include "fuzz/subject_case.hpp"

#include <fcntl.h>

#include <algorithm>

#include "criu/compressed_writer.hpp"
#include "fuzz/support.hpp"
#include "io/file.hpp"

namespace fuzz {

using namespace ckpt_lease;
namespace input = subject_input;
using input::Kind;
using input::Where;

namespace {

std::string gzip(const std::string& bytes) {
    constexpr int kGzip = 1;  // of libarchive
    crash::ModelSystem system((crash::Disk()));
    io::File out(system, kOut, O_RDWR | O_CREAT | O_EXCL, mode_t{0600});
    criu::CompressedWriter writer(out, kGzip);
    writer.write(ckpt_lease::as_bytes(bytes));
    writer.finish();
    return system.disk().files().at(kOut);
}

RuleSet read_rules(std::uint8_t policy, std::uint8_t modifiers) {
    using std::chrono::seconds;
    const PolicyKind& kind = policy_kinds()[policy % policy_kinds().size()];
    const char* const argument = kind.argument.empty() ? "" : kind.name == "scale" ? "0.5" : "2.5";
    Rule rule;
    rule.treatment = Treatment::of(kind, argument);
    if ((modifiers & 1U) != 0) {
        rule.treatment.min = seconds(1);
    }
    if ((modifiers & 2U) != 0) {
        rule.treatment.max = seconds(9);
    }
    rule.treatment.renotify = (modifiers & 4U) != 0;
    if ((modifiers & 8U) != 0) {
        rule.match.indexes.push_back(0);
    }
    if ((modifiers & 16U) != 0) {
        rule.match.paths.emplace_back("*a*");
    }
    return {.rules = {rule}};
}

// What the input holds of the images, beside what they usually are.
Files read_images(std::string_view bytes, std::uint8_t absent, std::uint8_t fuzzed) {
    Files images = input::usual_images();
    for (std::size_t i = 0; i < std::size(input::kImages); ++i) {
        const unsigned bit = 1U << i;
        if ((fuzzed & bit) != 0) {
            std::size_t size = bytes.size();
            if (fuzzed >= bit * 2 && size >= 2) {
                size = static_cast<std::uint8_t>(bytes[0]) +
                       std::size_t{static_cast<std::uint8_t>(bytes[1])} * 256;
                bytes.remove_prefix(2);
            }
            images[input::kImages[i]] = bytes.substr(0, size);
            bytes.remove_prefix(std::min(size, bytes.size()));
        }
        if ((absent & bit) != 0) {
            images.erase(input::kImages[i]);
        }
    }
    return images;
}

void make_disk(Case& test) {
    if (test.kind == Kind::folder) {
        for (const auto& [name, bytes] : test.images) {
            test.disk.put(name, bytes);
        }
    } else if (test.is_archive()) {
        const std::string archive = test_support::tar(test.members);
        test.disk.put(kFile, test.kind == Kind::gzip ? gzip(archive) : archive);
    } else {
        test.disk.put(kFile, test.images[kCaptured]);
    }
}

}  // namespace

bool Case::is_archive() const {
    return kind == Kind::archive || kind == Kind::gzip || kind == Kind::archive_stream;
}

bool Case::is_piped() const {
    return kind == Kind::stream || kind == Kind::archive_stream;
}

std::string Case::name() const {
    return is_piped() ? "-" : kind == Kind::folder ? "/d" : "/d/" + kFile;
}

Target Case::target() const {
    Target target;
    target.dry_run = where == Where::nowhere;
    target.out = where == Where::out ? "/d/" + kOut : where == Where::standard_output ? "-" : "";
    return target;
}

Case read_case(std::string_view bytes) {
    constexpr const char* kFolders[] = {"", "./", "checkpoint/", "img/"};
    const auto choice = [&](std::size_t at) { return static_cast<std::uint8_t>(bytes[at]); };
    Case test;
    test.kind = static_cast<Kind>(choice(0) % input::kKinds);
    test.folder = kFolders[choice(1) % std::size(kFolders)];
    test.where = static_cast<Where>(choice(2) % input::kTargets);
    test.policy = {.rules = read_rules(choice(3), choice(4)),
                   .layout = layouts().front(),
                   .now = Moment(std::chrono::seconds(1'300'000'000))};
    test.images = read_images(bytes.substr(input::kPrefix), choice(5), choice(6));
    if (test.kind == Kind::folder) {
        // Without it the names in the folder would be listed, and no System does that.
        test.images.try_emplace("inventory.img");
    }
    for (const auto& [name, image] : test.images) {
        test.members.emplace_back(test.folder + name, image);
    }
    test.members.emplace_back(test.folder + "pages-1.img", std::string(600, 'p'));
    test.members.emplace_back("config.dump", "{}");
    if ((choice(4) & 32U) != 0) {
        std::reverse(test.members.begin(), test.members.end());
    }
    make_disk(test);
    test.is_looked_at_closely = is_replay() || checksum(ckpt_lease::as_bytes(bytes)) % 4 == 0;
    return test;
}

}  // namespace fuzz
