// SPDX-License-Identifier: GPL-2.0-or-later
// Any bytes as the journal beside an image, and as an undo file: a prefix that chooses
// (journal_input.hpp), and the journal. What it makes of the image is what a second, plain reading
// of ckpt-lease-journal(5) says: all old bytes are put back and the journal goes, or nothing is
// touched.
#include "rewrite/journal.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

#include "crash/disk_model.hpp"
#include "fuzz/journal_input.hpp"
#include "fuzz/support.hpp"
#include "rewrite/image_file.hpp"
#include "rewrite/undo.hpp"

namespace fuzz {
namespace {

using namespace ckpt_lease;
namespace input = journal_input;

using Files = std::map<std::string, std::string>;

const std::string kImageName = "image";
const std::string kImagePath = "/d/image";
const std::string kJournalName = "image.ckpt-lease-journal";
const std::string kUndoName = "undo";
constexpr uid_t kSomebody = 12345;

/// What is tried.
struct Case {
    std::string image;
    std::string journal;
    int short_call = 0;
    bool copied = false;
    input::Whose whose = input::Whose::ours;
    bool is_looked_at_closely = false;  // what takes its time is not done for each input
    std::uint64_t window = 0;
    std::size_t window_length = 0;
};

Case read_case(std::string_view bytes) {
    const auto choice = [&](std::size_t at) { return static_cast<std::uint8_t>(bytes[at]); };
    Case found;
    found.image = input::make_image(choice(input::kImage));
    found.journal = bytes.substr(input::kPrefix);
    found.short_call = choice(input::kShortCall);
    found.copied = (choice(input::kOptions) & 1) != 0;
    found.whose = input::whose(choice(input::kOptions));
    found.window = input::get(bytes, {input::kWindow, 2});
    found.window_length = choice(input::kWindowLength);
    input::repair(found.journal, found.image, choice(input::kRepairs), choice(input::kWritten));
    found.is_looked_at_closely = is_replay() || checksum(ckpt_lease::as_bytes(bytes)) % 8 == 0;
    return found;
}

/// A journal as the manual describes it, found a second time in the plainest way.
struct PlainEdit {
    std::uint64_t offset = 0;
    std::string_view old_bytes;
    std::string_view new_bytes;
};
struct PlainJournal {
    std::uint64_t purpose = 0;
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::uint64_t size = 0;
    std::uint64_t head_checksum = 0;
    std::uint64_t head_length = 0;
    std::string_view path;
    std::vector<PlainEdit> edits;
    bool is_filled_with_zeros = true;  // not looked at, but always written
};

bool is_zero(std::string_view bytes) {
    return bytes.find_first_not_of('\0') == std::string_view::npos;
}

// Nothing if it is no edit of a journal whose edits so far end at `end`.
std::optional<PlainEdit> read_edit(std::string_view bytes, std::uint64_t end, std::uint64_t size,
                                   bool& is_filled_with_zeros) {
    const std::uint64_t offset = input::get(bytes, input::kOffset);
    const std::uint64_t length = input::get(bytes, input::kLength);
    if (length < 1 || length > input::kMostBytes || offset < end || offset > size ||
        length > size - offset) {
        return std::nullopt;
    }
    const auto count = static_cast<std::size_t>(length);
    if (bytes.substr(input::kOldBytes, count) == bytes.substr(input::kNewBytes, count)) {
        return std::nullopt;
    }
    for (const std::size_t at : {input::kOldBytes, input::kNewBytes}) {
        is_filled_with_zeros &= is_zero(bytes.substr(at + count, input::kMostBytes - count));
    }
    return PlainEdit{offset, bytes.substr(input::kOldBytes, count),
                     bytes.substr(input::kNewBytes, count)};
}

// Nothing if this is no journal, or not a whole one.
std::optional<PlainJournal> read_plainly(std::string_view bytes) {
    if (bytes.size() < input::kLeast || !bytes.starts_with(input::kMagic) ||
        input::get(bytes, input::kVersion) != 1) {
        return std::nullopt;
    }
    PlainJournal found;
    found.purpose = input::get(bytes, input::kPurpose);
    found.device = input::get(bytes, input::kDevice);
    found.inode = input::get(bytes, input::kInode);
    found.size = input::get(bytes, input::kSize);
    found.head_checksum = input::get(bytes, input::kHeadChecksum);
    found.head_length = input::get(bytes, input::kHeadLength);
    const std::uint64_t path = input::get(bytes, input::kPathLength);
    if (found.purpose < 1 || found.purpose > 2 || found.head_length > input::kMostHead ||
        path > input::kMostPath || input::padded(path) > bytes.size() - input::kLeast) {
        return std::nullopt;
    }
    std::string_view rest = bytes.substr(input::kHeader);
    found.path = rest.substr(0, static_cast<std::size_t>(path));
    if (found.path.find('\0') != std::string_view::npos) {
        return std::nullopt;
    }
    found.is_filled_with_zeros = is_zero(
        rest.substr(found.path.size(), static_cast<std::size_t>(input::padded(path) - path)));
    rest.remove_prefix(static_cast<std::size_t>(input::padded(path)));
    const std::size_t edits = rest.size() - input::kChecksum;
    if (edits % input::kEdit != 0 || edits / input::kEdit != input::get(bytes, input::kEdits)) {
        return std::nullopt;
    }
    for (std::uint64_t end = 0; rest.size() > input::kChecksum; rest.remove_prefix(input::kEdit)) {
        const auto edit = read_edit(rest, end, found.size, found.is_filled_with_zeros);
        if (!edit) {
            return std::nullopt;
        }
        end = edit->offset + edit->old_bytes.size();
        found.edits.push_back(*edit);
    }
    const std::size_t end = bytes.size() - input::kChecksum;
    if (input::get(bytes, {end, input::kChecksum}) != input::xxh3(bytes.substr(0, end))) {
        return std::nullopt;
    }
    return found;
}

bool is_for(const PlainJournal& journal, const Case& test) {
    return (test.copied ||
            (journal.device == input::kDeviceOfImage && journal.inode == input::kInodeOfImage)) &&
           journal.size == test.image.size() &&
           journal.head_checksum == input::checksum_of_head(test.image, journal.head_length);
}

std::string_view place_of(const PlainEdit& edit, std::string_view image) {
    return image.substr(static_cast<std::size_t>(edit.offset), edit.old_bytes.size());
}

bool holds_old_or_new(const PlainEdit& edit, std::string_view image) {
    const std::string_view found = place_of(edit, image);
    for (std::size_t i = 0; i < found.size(); ++i) {
        if (found[i] != edit.old_bytes[i] && found[i] != edit.new_bytes[i]) {
            return false;
        }
    }
    return true;
}

std::string with_old_bytes(const PlainJournal& journal, std::string image) {
    for (const PlainEdit& edit : journal.edits) {
        image.replace(static_cast<std::size_t>(edit.offset), edit.old_bytes.size(), edit.old_bytes);
    }
    return image;
}

/// What the image is to be after an interrupted change; nothing if the journal is not to be used.
std::optional<std::string> recovered(const std::optional<PlainJournal>& journal, const Case& test) {
    if (test.whose != input::Whose::ours || !journal || journal->purpose != 1 ||
        !is_for(*journal, test) ||
        !std::all_of(journal->edits.begin(), journal->edits.end(),
                     [&](const PlainEdit& edit) { return holds_old_or_new(edit, test.image); })) {
        return std::nullopt;
    }
    return with_old_bytes(*journal, test.image);
}

/// What the image is to be after undo.
std::optional<std::string> undone(const PlainJournal& journal, const Case& test) {
    if (test.whose != input::Whose::ours || !journal.path.starts_with('/') ||
        !is_for(journal, test)) {
        return std::nullopt;
    }
    std::string wanted = with_old_bytes(journal, test.image);
    const bool is_new = std::all_of(
        journal.edits.begin(), journal.edits.end(),
        [&](const PlainEdit& edit) { return place_of(edit, test.image) == edit.new_bytes; });
    if (wanted != test.image && !is_new) {
        return std::nullopt;
    }
    return wanted;
}

template <typename Action>
std::optional<Error> error_of(Action action) {
    try {
        action();
        return std::nullopt;
    } catch (const Error& error) {
        require(error.kind() == Error::Kind::damaged, "a journal that is not used is damaged");
        return error;
    }
}

// The image and one file beside it.
crash::Disk make_disk(const Case& test, const std::string& name) {
    crash::Disk disk;
    disk.put(kImageName, test.image);
    disk.put(name, test.journal);
    switch (test.whose) {
        case input::Whose::ours:
            break;
        case input::Whose::somebody_elses:
            disk.set_status(name, kSomebody, 0600, 1);
            break;
        case input::Whose::written_by_others:
            disk.set_status(name, geteuid(), 0620, 1);
            break;
        case input::Whose::of_two_names:
            disk.set_status(name, geteuid(), 0600, 2);
    }
    return disk;
}

void require_files(const crash::Disk& disk, const Files& wanted, const Case& test,
                   const char* what) {
    require(disk.files() == wanted, what);
    if (test.is_looked_at_closely) {
        const std::vector<crash::Disk> left = disk.after_power_cut();
        require(left.size() == 1 && left.front().files() == wanted, "what was done is on disk");
    }
}

std::string read_piece(const io::File& file, std::uint64_t offset, std::size_t length) {
    std::string bytes(length, '?');
    bytes.resize(file.read_at(std::as_writable_bytes(std::span(bytes)), offset));
    return bytes;
}

void check_contents(const ImageFile& image, const std::string& wanted, const Case& test) {
    require(read_piece(image.file(), 0, wanted.size() + 1) == wanted, "the old bytes are read");
    const std::size_t at = std::min<std::size_t>(test.window, wanted.size());
    require(
        read_piece(image.file(), at, test.window_length) == wanted.substr(at, test.window_length),
        "and in pieces");
}

// What is read is what the plain reading finds, and what is written again are the same bytes.
void check_reading(const Case& test, const std::optional<PlainJournal>& plain) {
    crash::ModelSystem system(make_disk(test, kUndoName));
    system.cut_short_at(test.short_call);
    std::optional<Journal> found;
    const auto error =
        error_of([&] { found = read_journal(io::File(system, kUndoName, O_RDONLY)); });
    require(error.has_value() == !plain.has_value(), "a journal is read if it is whole");
    if (!plain) {
        return;
    }
    const ImageIdentity& identity = found->identity;
    require(static_cast<std::uint64_t>(found->purpose) == plain->purpose &&
                identity.device == plain->device && identity.inode == plain->inode &&
                identity.size == plain->size && identity.head_length == plain->head_length &&
                identity.head_checksum == plain->head_checksum && found->image == plain->path,
            "the header is what it is");
    require(found->edits.size() == plain->edits.size(), "all edits are found");
    for (std::size_t i = 0; i < plain->edits.size(); ++i) {
        const Edit edit = found->edits.at(i);
        require(edit.offset == plain->edits[i].offset &&
                    as_text(edit.old_bytes) == plain->edits[i].old_bytes &&
                    as_text(edit.new_bytes) == plain->edits[i].new_bytes,
                "an edit is what it is");
    }
    if (plain->is_filled_with_zeros) {
        io::File out(system, "again", O_RDWR | O_CREAT | O_EXCL, mode_t{0600});
        write_journal(*found, found->edits, out);
        require(system.disk().files().at("again") == test.journal, "a journal is written as read");
    }
}

// Both return what was said of a journal that is not used.
std::string check_reader(const Case& test, const std::optional<std::string>& wanted,
                         bool is_input) {
    crash::ModelSystem system(make_disk(test, kJournalName));
    system.set_input(kImageName, false);
    system.cut_short_at(test.short_call);
    const auto error = error_of([&] {
        const ImageFile::Options options{.copied = test.copied};
        const ImageFile image = is_input ? ImageFile(system, kImagePath, STDIN_FILENO, options)
                                         : ImageFile(system, kImagePath, options);
        require(wanted.has_value(), "a reader believes no other journal");
        require(image.was_interrupted() && image.hides_change(), "a reader is told of the journal");
        check_contents(image, *wanted, test);
    });
    require(error.has_value() == !wanted.has_value(), "a reader believes the journal");
    require_files(system.disk(), {{kImageName, test.image}, {kJournalName, test.journal}}, test,
                  "a reader changes nothing");
    return error ? error->what() : "";
}

std::string check_writer(const Case& test, const std::optional<std::string>& wanted,
                         std::size_t edits) {
    constexpr auto kWrite = ImageFile::Access::write;
    crash::ModelSystem system(make_disk(test, kJournalName));
    system.cut_short_at(test.short_call);
    const auto error = error_of([&] {
        const ImageFile image(system, kImagePath, {.access = kWrite, .copied = test.copied});
        require(wanted.has_value(), "a writer uses no other journal");
        require(
            image.was_interrupted() && !image.hides_change() && image.interrupted().size() == edits,
            "a writer is told of the journal");
        check_contents(image, *wanted, test);
    });
    if (!wanted) {
        require(error.has_value(), "a journal that is not used is an error");
        require_files(system.disk(), {{kImageName, test.image}, {kJournalName, test.journal}}, test,
                      "what cannot be taken back is not touched");
        return error->what();
    }
    require(!error, "a writer uses the journal");
    require_files(system.disk(), {{kImageName, *wanted}}, test,
                  "all is taken back, and nothing else");
    if (test.is_looked_at_closely) {
        require(!ImageFile(system, kImagePath, {.access = kWrite}).was_interrupted(),
                "what was taken back is as if nothing had been");
    }
    return {};
}

void check_recovery(const Case& test, const std::optional<PlainJournal>& plain) {
    const auto wanted = recovered(plain, test);
    const std::string reader = check_reader(test, wanted, false);
    const std::string writer = check_writer(test, wanted, plain ? plain->edits.size() : 0);
    require_equal(writer, reader, "readers and writers say the same");
    if (test.is_looked_at_closely) {
        require_equal(check_reader(test, wanted, true), reader, "an open file says the same");
    }
}

void check_undo(const Case& test, const PlainJournal& plain) {
    const auto wanted = undone(plain, test);
    crash::ModelSystem system(make_disk(test, kUndoName));
    system.cut_short_at(test.short_call);
    Undone result{};
    const auto error = error_of([&] {
        const Journal journal = read_undo_file(system, kUndoName);
        require(test.whose == input::Whose::ours, "an undo file of others is not believed");
        ImageFile image = open_to_undo(io::find_place(system, kImagePath, "open"), journal,
                                       kUndoName, {.copied = test.copied});
        result = undo(image, journal, kUndoName, test.copied, {});
        require(!image.was_interrupted(), "an undo file is no journal");
    });
    require(error.has_value() == !wanted.has_value(), "an undo file is used if it fits");
    require_files(system.disk(),
                  {{kImageName, wanted.value_or(test.image)}, {kUndoName, test.journal}}, test,
                  "undo puts all old bytes back, or nothing");
    if (wanted) {
        require((result == Undone::already) == (*wanted == test.image), "undo says what it did");
    }
}

}  // namespace
}  // namespace fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace fuzz;
    if (size < input::kPrefix) {
        return 0;
    }
    const Case test = read_case(ckpt_lease::as_text(as_bytes(data, size)));
    const auto plain = read_plainly(test.journal);
    check_reading(test, plain);
    check_recovery(test, plain);
    if (plain && plain->purpose == 2) {
        check_undo(test, *plain);
    }
    return 0;
}
