// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <algorithm>

#include "base/joined.hpp"
#include "base/json_file.hpp"
#include "ckpt-lease/base/text.hpp"
#include "cli/command.hpp"
#include "cli/exit_status.hpp"
#include "cli/options.hpp"

namespace ckpt_lease::cli {
namespace {

// Layouts follow a schema, and are none.
std::vector<std::string> schema_names() {
    constexpr std::string_view kSuffix = ".json";
    std::vector<std::string> names;
    for (const std::string_view file : embedded_files("")) {
        if (file.find('/') == std::string_view::npos) {
            names.emplace_back(file.substr(0, file.size() - kSuffix.size()));
        }
    }
    return names;
}

class Schema final : public Command {
 public:
    void declare(CLI::App& app) override {
        app.add_option("NAME", name_,
                       "a command that prints JSON, watch for show --watch, or layout or "
                       "rules for these files")
            ->type_name("")
            ->check(offer(joined(schema_names(), " ")));
        app.footer(R"(The same files are installed: ckpt-lease(1) says where, and what a program can
rely on.

Examples:
  ckpt-lease schema                 list all names
  ckpt-lease schema show            what the JSON of show is like
  ckpt-lease schema rules > rules.schema.json)");
    }

    int run(const Context& context) override {
        const std::vector<std::string> names = schema_names();
        if (name_.empty()) {
            for (const std::string& name : names) {
                context.out.print("{}\n", name);
            }
            return kDone;
        }
        if (std::find(names.begin(), names.end(), name_) == names.end()) {
            std::string all;
            for (const std::string& name : names) {
                all += (all.empty() ? "" : ", ") + name;
            }
            refuse(fmt::format("there is no schema '{}'", escape(name_)), "there are " + all);
        }
        context.out.write(embedded_file(name_ + ".json"));
        return kDone;
    }

 private:
    std::string name_;
};

}  // namespace

std::unique_ptr<Command> make_schema() {
    return std::make_unique<Schema>();
}

}  // namespace ckpt_lease::cli
