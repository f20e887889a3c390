// Text for people: places, and columns that line up. Pure.
#pragma once

#include <string>
#include <vector>

#include "project/project.h"

namespace hearth::server {

// As findings say it, relative to the project: "wrangler.jsonc:10:17".
std::string place_in_config(const project::Project& project, project::Position at);

// Rows whose cells line up; two spaces between columns, none after the last.
class Table {
 public:
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace hearth::server
