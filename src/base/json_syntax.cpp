// SPDX-License-Identifier: GPL-2.0-or-later
//
// Reads JSON once more, loosely, after the parser has refused it: what stands where something else
// has to stand is what has been forgotten or written too much.
#include "base/json_syntax.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "base/json_place.hpp"
#include "base/json_token.hpp"
#include "ckpt-lease/base/text.hpp"

namespace ckpt_lease {
namespace {

using MaybeFault = std::optional<SyntaxFault>;

constexpr const char* kMember = R"(a member is written "name": value)";

class Grammar {
 public:
    explicit Grammar(std::string_view text) : text_(text) {}

    MaybeFault first_fault() {
        for (Token token = token_from(text_, byte_order_mark(text_));;
             token = token_from(text_, token.end())) {
            if (MaybeFault fault = take(token)) {
                return fault;
            }
            if (token.kind == Token::Kind::end) {
                return {};
            }
            last_ = token;
        }
    }

 private:
    enum class Wanted : std::uint8_t {
        value,
        value_or_end,
        name,
        name_or_end,
        colon,
        comma,
        nothing
    };

    MaybeFault take(const Token& token) {
        switch (token.kind) {
            case Token::Kind::end:
                return take_end();
            case Token::Kind::comment:
                return at(token, "JSON has no comments",
                          R"(take it away, or put it into the member "$comment" of the whole)");
            case Token::Kind::text:
                return take_text(token);
            case Token::Kind::word:
                return take_word(token);
            case Token::Kind::mark:
                break;
        }
        switch (token.bytes.front()) {
            case '{':
            case '[':
                return take_open(token);
            case ',':
                return take_comma(token);
            case ':':
                return take_colon(token);
            default:
                return take_close(token);
        }
    }

    MaybeFault take_end() const {
        if (last_.kind == Token::Kind::end) {
            return SyntaxFault{0,
                               text_.size() == byte_order_mark(text_)
                                   ? "the file is empty"
                                   : "there is nothing but white space in the file",
                               {}};
        }
        if (open_.empty()) {
            return {};
        }
        const char open = text_[open_.back()];
        return SyntaxFault{
            text_.size(),
            fmt::format("the file ends here, and the {} of {} is not closed", open,
                        to_string(place_of(text_, open_.back()))),
            fmt::format("close it with {}, or look whether the end of the file is lost",
                        closing(open))};
    }

    MaybeFault take_text(const Token& token) {
        if (MaybeFault fault = fault_in_text(token)) {
            return fault;
        }
        if (wants_name()) {
            wanted_ = Wanted::colon;
            return {};
        }
        return take_value(token);
    }

    MaybeFault take_word(const Token& token) {
        if (nlohmann::json::accept(token.bytes) && !wants_name()) {
            return take_value(token);
        }
        if (MaybeFault fault = fault_of_spelling(token)) {
            return fault;
        }
        if (last_.kind == Token::Kind::end) {
            return at(token, "this is not JSON: the file has to begin with {", {});
        }
        const std::string shown = excerpt(token.bytes);
        if (wants_name()) {
            return at(token, "the name of a member has to stand in double quotes",
                      fmt::format("write \"{}\"", shown));
        }
        if (wanted_ == Wanted::colon) {
            return at(token, fmt::format("here a colon has to stand, not '{}'", shown), kMember);
        }
        if (wanted_ == Wanted::comma) {
            return at(token,
                      fmt::format("here a comma or a {} has to stand, not '{}'",
                                  closing(text_[open_.back()]), shown),
                      between());
        }
        return wanted_ == Wanted::nothing ? behind_the_end(token) : fault_of_value(token);
    }

    MaybeFault take_open(const Token& token) {
        if (MaybeFault fault = take_value(token)) {
            return fault;
        }
        open_.push_back(token.offset);
        wanted_ = token.is('{') ? Wanted::name_or_end : Wanted::value_or_end;
        return {};
    }

    // The beginning of one.
    MaybeFault take_value(const Token& token) {
        switch (wanted_) {
            case Wanted::value:
            case Wanted::value_or_end:
                wanted_ = open_.empty() ? Wanted::nothing : Wanted::comma;
                return {};
            case Wanted::comma:
                return at(token, "a comma is missing before this", between());
            case Wanted::colon:
                return at(token, "a colon is missing before this", kMember);
            case Wanted::nothing:
                return behind_the_end(token);
            case Wanted::name:
            case Wanted::name_or_end:
                break;
        }
        return at(token, "here the name of a member has to stand", kMember);
    }

    MaybeFault take_comma(const Token& token) {
        switch (wanted_) {
            case Wanted::comma:
                wanted_ = in_object() ? Wanted::name : Wanted::value;
                return {};
            case Wanted::nothing:
                return behind_the_end(token);
            case Wanted::colon:
                return no_value();
            default:
                return last_.is(':') ? no_value()
                                     : at(token, "there is nothing before this comma",
                                          "take it away, or write what is missing");
        }
    }

    MaybeFault take_colon(const Token& token) {
        switch (wanted_) {
            case Wanted::colon:
                wanted_ = Wanted::value;
                return {};
            case Wanted::nothing:
                return behind_the_end(token);
            case Wanted::name:
            case Wanted::name_or_end:
                return at(token, "the name of a member is missing before this colon", kMember);
            default:
                return at(token, "this colon is one too many",
                          in_object() ? kMember : "only objects, in {}, have members with names");
        }
    }

    MaybeFault take_close(const Token& token) {
        const char mark = token.bytes.front();
        if (open_.empty()) {
            return last_.kind == Token::Kind::end
                       ? at(token, fmt::format("this {} closes nothing", mark), "take it away")
                       : at(token, fmt::format("this {} closes nothing: it is one too many", mark),
                            "take it away, or look whether one before it stands too early");
        }
        if (wanted_ == Wanted::colon || last_.is(':')) {
            return no_value();
        }
        if (wanted_ == Wanted::name || wanted_ == Wanted::value) {  // behind a comma
            return at(last_, fmt::format("this comma is one too many: a {} follows", mark),
                      "take it away");
        }
        const char open = text_[open_.back()];
        if (mark != closing(open)) {
            return at(token,
                      fmt::format("this {} cannot close the {} of {}", mark, open,
                                  to_string(place_of(text_, open_.back()))),
                      fmt::format("close that with {} first", closing(open)));
        }
        open_.pop_back();
        wanted_ = open_.empty() ? Wanted::nothing : Wanted::comma;
        return {};
    }

    [[nodiscard]] MaybeFault no_value() const {
        return at(last_,
                  last_.is(':') ? "behind this colon a value is missing"
                                : "this is the name of a member, and its value is missing",
                  kMember);
    }
    static MaybeFault behind_the_end(const Token& token) {
        return at(token, "the document has ended before this",
                  "one pair of brackets has to hold everything");
    }
    static MaybeFault at(const Token& token, std::string message, std::string hint) {
        return SyntaxFault{token.offset, std::move(message), std::move(hint)};
    }
    [[nodiscard]] const char* between() const {
        return in_object() ? "commas stand between the members of an object"
                           : "commas stand between the values of an array";
    }
    [[nodiscard]] bool wants_name() const {
        return wanted_ == Wanted::name || wanted_ == Wanted::name_or_end;
    }
    static char closing(char open) { return open == '{' ? '}' : ']'; }
    [[nodiscard]] bool in_object() const { return !open_.empty() && text_[open_.back()] == '{'; }

    std::string_view text_;
    std::vector<std::size_t> open_;  // offsets of brackets
    Wanted wanted_ = Wanted::value;
    Token last_;
};

}  // namespace

SyntaxFault explain_syntax(std::string_view text, std::size_t found) {
    return Grammar(text).first_fault().value_or(
        SyntaxFault{.offset = token_begin(text, found),
                    .message = "from here on this is not JSON",
                    .hint = "'jq . FILE' says more of what is wrong with it"});
}

std::size_t token_begin(std::string_view text, std::size_t offset) {
    Token token = token_from(text, byte_order_mark(text));
    while (token.end() <= offset && token.kind != Token::Kind::end) {
        token = token_from(text, token.end());
    }
    return token.offset;
}

}  // namespace ckpt_lease
