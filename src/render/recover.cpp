// SPDX-License-Identifier: GPL-2.0-or-later
#include "render/recover.hpp"

#include "ckpt-lease/base/text.hpp"

namespace ckpt_lease::render {
namespace {

JsonWriter& write_recovery(JsonWriter& json, const Recovery& recovery) {
    return json.bytes_member("path", recovery.image)
        .member("put_back", recovery.put_back)
        .member("edits", recovery.edits);
}

}  // namespace

RecoverReport::RecoverReport(Out& out, const Form& form) : Report(out, form, "recover") {
    begin_list("images");
}

void RecoverReport::image(const Recovery& recovery) {
    if (form_.json) {
        write_recovery(json().begin_object().bytes_member("subject", recovery.image), recovery);
        document_.write_no_errors();
        json().end_object();
    } else if (recovery.put_back) {
        out_.print("{}: an interrupted change was taken back ({} edits)\n", escape(recovery.image),
                   recovery.edits);
    } else {
        out_.print("{}: nothing to recover\n", escape(recovery.image));
    }
}

void RecoverReport::fail_image(const std::string& image, const Problem& problem,
                               const std::string& text) {
    if (form_.json) {
        json().begin_object();
        write_names(image, image).member("error", to_utf8(text));
        document_.write_errors(image, problem);
        json().end_object();
    }
}

void print_undo(Out& out, const Form& form, const std::string& undo_file,
                const Recovery& recovery) {
    if (form.json) {
        JsonWriter& json = form.document->begin("undo");
        write_recovery(json.bytes_member("undo_file", undo_file), recovery);
        form.document->end();
    } else if (recovery.put_back) {
        out.print("{}: is as it was before the change ({} edit{} taken back)\n",
                  escape(recovery.image), recovery.edits, recovery.edits == 1 ? "" : "s");
    } else {
        out.print("{}: nothing to undo, it is as it was before the change\n",
                  escape(recovery.image));
    }
}

}  // namespace ckpt_lease::render
