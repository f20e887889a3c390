// What one version of a database page has that another has not, in as few bytes as is cheap: the
// runs of bytes that differ. And a digest of a whole database that follows its pages: the sum of
// its pages' digests, so that changing a page costs no more than reading that page. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace hearth::storage {

// What makes `newer` into `older` again; empty when they are the same. Both are of one size.
std::string make_patch(std::string_view older, std::string_view newer);

// False for a patch that does not fit, with `page` in any state.
[[nodiscard]] bool apply_patch(std::string_view patch, std::string& page);

// 0 for a page of zeros, so that a page that was never written counts as none.
std::uint64_t page_digest(std::uint32_t number, std::string_view page);

// Of a record of the history: told from chance, not from malice.
std::uint32_t checksum(std::string_view bytes);

}  // namespace hearth::storage
