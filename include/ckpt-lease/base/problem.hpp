// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "ckpt-lease/base/api.hpp"

namespace ckpt_lease {

/// What would help, where that depends on how the library is used: a program has its own words for
/// it, those of its options for instance. What helps everybody stands in Problem::hint instead.
enum class Advice : std::uint8_t {
    none,
    // About files.
    wait,              ///< for the process that has the image locked: ImageFile::Options::wait
    write_elsewhere,   ///< into another file; or, instead, what `hint` or `detail` says
    write_and_copy,    ///< into another file, which is then copied over this one
    stream_elsewhere,  ///< what is no regular file: a policy can be carried out on its way to
                       ///< another
    // About changes that were interrupted, and journals.
    recover,                    ///< the image: opening it for writing takes the change back
    recover_first,              ///< the same, before the image is used
    recover_or_remove_journal,  ///< the same, or remove the journal
    recover_copied,             ///< ImageFile::Options::copied, if image and journal were copied or
                                ///< mounted anew; if the image was replaced, remove the journal
    // About undo files.
    give_undo_file,    ///< a file that write_in_place() has made as one
    rename_undo_file,  ///< and undo() with it: it stands where the journal would
    undo_another,      ///< the image may be a copy: open_to_undo() takes any path
    // About times.
    bound_time,       ///< Treatment::max
    set_time,         ///< the policy `set`, or a filter that leaves the lease out
    no_elapsed_time,  ///< the policy `elapsed` does not work on this image
    // About records.
    make_records_agree,  ///< the policy `set`, or the same values for all records of the lease
    edit_lease,          ///< give the fields of the lease other values
    take_again,          ///< the checkpoint: what is wrong with a lock is mended of leases only
    take_again_for,      ///< the checkpoint: nothing changes the field `detail`
    use_layout,          ///< the built-in layout `detail`, which would fit
    describe_layout,     ///< no built-in layout fits: parse_layout() reads others
    // About what is asked for.
    list_locks,        ///< what locks an image has: Snapshot::locks
    edit_whole_lease,  ///< EditRequest::whole_lease, or force for one record
    force_edit,        ///< EditRequest::force: a restart refuses the value
    give_time,         ///< a time is needed, as there is no value for no deadline
    give_no_deadline,  ///< Remaining::no_deadline() is the value for that
    recover_or_name,   ///< the image has a change to be taken back: recover it, or give its path
    see_schema,        ///< the schema `detail`, "rules" or "layout", says what is allowed
    say_time,          ///< PolicyRequest::now is not what the clock says
    no_undo_file,      ///< Target::undo_file makes no sense
    no_modifiers,      ///< Treatment::min, max and renotify make no sense
    capture_times,     ///< with CRIU's action script; without, only WithoutTime's two policies are
                       ///< left
};

/// One thing that is wrong with one input, for users: where it is, what it is, what would help.
/// Parts that do not apply are empty. Nothing in it names a command or an option: to_string() is
/// for logs, and programs put their own words in the place of `advice`.
struct Problem {
    enum class Severity : std::uint8_t {
        warning,    ///< odd, but a restart would not mind
        meaning,    ///< readable, but a value that a restart refuses or misunderstands
        structure,  ///< the records cannot be relied on from here
    };

    /// What kind of fault it is, for programs that decide what to do. There will be more of them.
    enum class Code : std::uint8_t {
        by_severity,         ///< nothing more is known than `severity` says, or Error::kind()
        warning,             ///< odd, but a restart would not mind
        bad_value,           ///< a value that a restart refuses or misunderstands
        damaged,             ///< the file is not what it should be
        truncated,           ///< it ends too early
        not_a_checkpoint,    ///< it is neither an image nor a checkpoint that is whole
        changed_meanwhile,   ///< somebody else writes to the file
        not_found,           ///< there is no such file, folder or process
        not_permitted,       ///< the user may not
        no_space,            ///< no room for what is to be written
        io_error,            ///< the system refused something else, or it would do harm
        locked,              ///< another process works on it
        interrupted_change,  ///< a change was interrupted, and is to be taken back first
        not_captured,        ///< no leases were captured with the checkpoint
        other_dump,          ///< they were captured with another dump
        time_not_known,      ///< how much time a lease has left
        no_such_lock,        ///< the image has no lock record of this index
        invalid_file,        ///< a file of rules or of a layout is not as it has to be
        refused,             ///< what was asked for makes no sense, or would do harm
        no_match,            ///< nothing matches what was asked for
        stopped,             ///< by a signal
    };

    Severity severity = Severity::structure;
    std::string file;                     ///< as the user named it; "-" is standard input
    std::optional<std::uint64_t> offset;  ///< bytes from the start of the file
    std::string record;                   ///< type name of the record, e.g. "FILE_LOCK"
    std::string message;                  ///< one sentence, no full stop
    std::string hint;                     ///< what the user can do, no full stop
    Advice advice = Advice::none;         ///< what else, or instead
    std::string detail;                   ///< what `advice` is about, where it says so
    std::string outcome;                  ///< what was left behind, where something is changed
    Code code = Code::by_severity;        ///< Error has one always
};

/// What kind of fault it is: never by_severity.
[[nodiscard]] CKPT_LEASE_API Problem::Code code_of(const Problem& problem) noexcept;

/// "not_found": the name of a code, which stays what it is.
[[nodiscard]] CKPT_LEASE_API std::string_view to_string(Problem::Code code) noexcept;

/// "FILE: offset N: RECORD: message (hint; outcome)", without the advice. Bytes that came from an
/// image are escaped.
[[nodiscard]] CKPT_LEASE_API std::string to_string(const Problem& problem);

/// Receives problems as they are found. It may throw to stop the work that found them.
using ProblemSink = std::function<void(const Problem&)>;

/// The one exception that the library throws, but for std::bad_alloc, and for std::logic_error and
/// std::out_of_range where a caller does not keep to what a function asks of its arguments, as
/// EditList::add() and load() do. What the libraries beneath throw is caught where they are called:
/// nlohmann::json in parse_json(), std::filesystem where proc(5) is read. Exceptions of a caller's
/// own functions (ProblemSink, io::Progress, ScanVisitor, Fill) pass through.
class CKPT_LEASE_API Error : public std::runtime_error {
 public:
    enum class Kind : std::uint8_t {
        damaged,      ///< the image, or another file that was read, is not what it should be
        refused,      ///< what was asked makes no sense, or would do harm
        io,           ///< the system refused to read or write
        interrupted,  ///< a caller's progress function asked to stop
    };

    Error(Kind kind, Problem problem);

    [[nodiscard]] Kind kind() const noexcept { return kind_; }
    [[nodiscard]] const Problem& problem() const noexcept { return problem_; }

 private:
    Kind kind_;
    Problem problem_;
};

/// `error` once more, which has left `outcome` behind; other advice is better then, or the same.
[[nodiscard]] Error with_outcome(const Error& error, std::string outcome,
                                 Advice advice = Advice::none);

/// Throws Error(refused) that is about no file in particular.
[[noreturn]] void refuse(std::string message, std::string hint = {});
[[noreturn]] void refuse(std::string message, Advice advice);

}  // namespace ckpt_lease
