// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "ckpt-lease/base/problem.hpp"
#include "ckpt-lease/linux_cr/describe.hpp"
#include "render/out.hpp"

namespace ckpt_lease {

/// What 'records' prints, in one of its forms, as the records come.
class RecordsOutput {
 public:
    RecordsOutput() = default;
    RecordsOutput(const RecordsOutput&) = delete;
    RecordsOutput& operator=(const RecordsOutput&) = delete;
    virtual ~RecordsOutput() = default;

    virtual void begin(const std::string& /*name*/) {}
    virtual void record(const linux_cr::Record& record, const linux_cr::RecordFacts& facts) = 0;
    /// `broken`: what ended the walk before the image did.
    virtual void end(const std::optional<Problem>& /*broken*/) {}
};

[[nodiscard]] std::unique_ptr<RecordsOutput> make_records_text(Out& out);
/// As schemas/records.json says.
[[nodiscard]] std::unique_ptr<RecordsOutput> make_records_json(Out& out);

}  // namespace ckpt_lease
