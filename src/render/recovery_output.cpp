// SPDX-License-Identifier: GPL-2.0-or-later
#include "render/recovery_output.hpp"

#include "ckpt-lease/base/text.hpp"
#include "render/json_writer.hpp"

namespace ckpt_lease {
namespace {

class RecoverText final : public RecoverOutput {
 public:
    explicit RecoverText(Out& out) : out_(out) {}

    void image(const Recovery& recovery) override {
        if (recovery.put_back) {
            out_.print("{}: an interrupted change was taken back ({} edits)\n",
                       escape(recovery.image), recovery.edits);
        } else {
            out_.print("{}: nothing to recover\n", escape(recovery.image));
        }
    }
    void failed(const std::string& /*image*/, const std::string& /*message*/) override {}

 private:
    Out& out_;
};

class RecoverJson final : public RecoverOutput {
 public:
    explicit RecoverJson(Out& out) : json_(out) {}

    void begin() override {
        json_.begin_object().member("schema", "ckpt-lease/recover/1").key("images").begin_array();
    }
    void image(const Recovery& recovery) override {
        json_.begin_object()
            .bytes_member("path", recovery.image)
            .member("put_back", recovery.put_back)
            .member("edits", recovery.edits)
            .end_object();
    }
    void failed(const std::string& image, const std::string& message) override {
        json_.begin_object()
            .bytes_member("path", image)
            .member("error", to_utf8(message))
            .end_object();
    }
    void end() override {
        json_.end_array().end_object();
        json_.finish();
    }

 private:
    JsonWriter json_;
};

}  // namespace

std::unique_ptr<RecoverOutput> make_recover_text(Out& out) {
    return std::make_unique<RecoverText>(out);
}

std::unique_ptr<RecoverOutput> make_recover_json(Out& out) {
    return std::make_unique<RecoverJson>(out);
}

void print_undo_text(Out& out, const Recovery& recovery) {
    if (recovery.put_back) {
        out.print("{}: is as it was before the change ({} edits taken back)\n",
                  escape(recovery.image), recovery.edits);
    } else {
        out.print("{}: nothing to undo, it is as it was before the change\n",
                  escape(recovery.image));
    }
}

void print_undo_json(Out& out, const std::string& undo_file, const Recovery& recovery) {
    JsonWriter json(out);
    json.begin_object()
        .member("schema", "ckpt-lease/undo/1")
        .bytes_member("undo_file", undo_file)
        .bytes_member("path", recovery.image)
        .member("put_back", recovery.put_back)
        .member("edits", recovery.edits)
        .end_object();
    json.finish();
}

}  // namespace ckpt_lease
