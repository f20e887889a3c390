#include "project/finding.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <set>

#include "project/files.h"

namespace hearth::project {
namespace {

constexpr std::size_t kContextLines = 2;

// Lines with their line ends, so that a last line without one stays so.
std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::size_t size = end == std::string_view::npos ? text.size() : end + 1;
    lines.push_back(text.substr(0, size));
    text.remove_prefix(size);
  }
  return lines;
}

struct Line {
  char kind;  // ' ', '-', '+'
  std::string_view text;
};

// The lines of both texts in order. What lies between the common beginning and end is compared by
// the longest common subsequence; beyond a bound it counts as replaced as a whole.
std::vector<Line> compared(const std::vector<std::string_view>& a,
                           const std::vector<std::string_view>& b) {
  constexpr std::size_t kCellsMax = 4'000'000;
  std::size_t head = 0;
  while (head < a.size() && head < b.size() && a[head] == b[head]) ++head;
  std::size_t tail = 0;
  while (tail < a.size() - head && tail < b.size() - head &&
         a[a.size() - 1 - tail] == b[b.size() - 1 - tail]) {
    ++tail;
  }
  const std::size_t rows = a.size() - head - tail;
  const std::size_t columns = b.size() - head - tail;
  std::vector<Line> out;
  for (std::size_t i = 0; i < head; ++i) out.push_back({' ', a[i]});
  if (rows * columns > kCellsMax) {
    for (std::size_t i = 0; i < rows; ++i) out.push_back({'-', a[head + i]});
    for (std::size_t j = 0; j < columns; ++j) out.push_back({'+', b[head + j]});
  } else {
    const std::size_t width = columns + 1;
    std::vector<std::uint32_t> length((rows + 1) * width);
    for (std::size_t i = rows; i-- > 0;) {
      for (std::size_t j = columns; j-- > 0;) {
        length[i * width + j] = a[head + i] == b[head + j] ? length[(i + 1) * width + j + 1] + 1
                                                           : std::max(length[(i + 1) * width + j],
                                                                      length[i * width + j + 1]);
      }
    }
    std::size_t i = 0;
    std::size_t j = 0;
    while (i < rows || j < columns) {
      if (i < rows && j < columns && a[head + i] == b[head + j]) {
        out.push_back({' ', a[head + i]});
        ++i;
        ++j;
      } else if (j == columns ||
                 (i < rows && length[(i + 1) * width + j] >= length[i * width + j + 1])) {
        out.push_back({'-', a[head + i++]});
      } else {
        out.push_back({'+', b[head + j++]});
      }
    }
  }
  for (std::size_t i = a.size() - tail; i < a.size(); ++i) out.push_back({' ', a[i]});
  return out;
}

std::string hunk(const std::vector<Line>& lines, std::size_t from, std::size_t to,
                 std::size_t before, std::size_t after) {
  std::size_t removed = 0;
  std::size_t added = 0;
  std::string body;
  for (std::size_t i = from; i < to; ++i) {
    removed += lines[i].kind != '+';
    added += lines[i].kind != '-';
    body += lines[i].kind;
    body += lines[i].text;
    if (!lines[i].text.ends_with('\n')) body += "\n\\ No newline at end of file\n";
  }
  const auto range = [](std::size_t first, std::size_t count) {
    return std::to_string(count == 0 ? first : first + 1) + "," + std::to_string(count);
  };
  return "@@ -" + range(before, removed) + " +" + range(after, added) + " @@\n" + body;
}

}  // namespace

std::string sentence(const Finding& finding) {
  std::string text = finding.file.filename().string();
  if (finding.at.line != 0) {
    text += ":" + std::to_string(finding.at.line) + ":" + std::to_string(finding.at.column);
  }
  if (!text.empty()) text += ": ";
  return text + finding.message + " (" + finding.code + ")";
}

std::size_t offset_of(std::string_view text, Position at) {
  std::size_t start = 0;
  for (std::uint32_t line = 1; line < at.line; ++line) {
    const std::size_t end = text.find('\n', start);
    if (end == std::string_view::npos) return text.size();
    start = end + 1;
  }
  return std::min(text.size(), start + (at.column == 0 ? 0 : at.column - 1));
}

std::string edited(std::string_view text, const std::filesystem::path& file,
                   const std::vector<Edit>& edits) {
  std::vector<Edit> own;
  for (const Edit& edit : edits) {
    if (edit.file == file) own.push_back(edit);
  }
  std::stable_sort(own.begin(), own.end(),
                   [](const Edit& a, const Edit& b) { return a.offset < b.offset; });
  std::string out;
  std::size_t taken = 0;
  for (const Edit& edit : own) {
    const std::size_t at = std::clamp(edit.offset, taken, text.size());
    out += text.substr(taken, at - taken);
    out += edit.text;
    taken = std::min(text.size(), at + edit.removed);
  }
  return out + std::string(text.substr(taken));
}

std::string unified_diff(std::string_view before, std::string_view after, std::string_view path) {
  const auto a = lines_of(before);
  const auto b = lines_of(after);
  const std::vector<Line> lines = compared(a, b);
  std::string hunks;
  std::size_t line_before = 0;
  std::size_t line_after = 0;
  std::size_t at = 0;
  const auto pass = [&](std::size_t to) {
    for (; at < to; ++at) {
      line_before += lines[at].kind != '+';
      line_after += lines[at].kind != '-';
    }
  };
  while (at < lines.size()) {
    std::size_t first = at;
    while (first < lines.size() && lines[first].kind == ' ') ++first;
    if (first == lines.size()) break;
    // Changes with little between them are shown as one.
    std::size_t last = first;
    for (std::size_t i = first; i < lines.size() && i <= last + 2 * kContextLines; ++i) {
      if (lines[i].kind != ' ') last = i;
    }
    const std::size_t from = first - std::min(first - at, kContextLines);
    const std::size_t to = std::min(lines.size(), last + 1 + kContextLines);
    pass(from);
    hunks += hunk(lines, from, to, line_before, line_after);
    pass(to);
  }
  if (hunks.empty()) return {};
  const std::string name(path);
  return "--- " + (before.empty() ? "/dev/null" : "a/" + name) + "\n+++ b/" + name + "\n" + hunks;
}

std::string diff_of(const std::vector<Edit>& edits, const std::filesystem::path& root) {
  std::set<std::filesystem::path> files;
  for (const Edit& edit : edits) files.insert(edit.file);
  std::string out;
  for (const auto& file : files) {
    const Result<std::string> text = read_config_file(file);
    if (!text && text.error().code != ErrorCode::kNotFound) return {};
    const std::string before = text ? *text : "";
    out += unified_diff(before, edited(before, file, edits),
                        file.lexically_relative(root).generic_string());
  }
  return out;
}

Status apply(const std::vector<Edit>& edits) {
  std::map<std::filesystem::path, std::string> texts;
  for (const Edit& edit : edits) {
    if (texts.contains(edit.file)) continue;
    const Result<std::string> text = read_config_file(edit.file);
    if (!text && text.error().code != ErrorCode::kNotFound) return text.error();
    texts[edit.file] = edited(text ? *text : "", edit.file, edits);
  }
  for (const auto& [file, text] : texts) {
    std::ofstream out(file, std::ios::binary | std::ios::trunc);
    out << text;
    out.flush();
    if (!out) return Error{ErrorCode::kIo, file.string() + " cannot be written"};
  }
  return {};
}

}  // namespace hearth::project
