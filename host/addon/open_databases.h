// How many databases are open at once. Each takes three descriptors and some memory, and a process
// has only so many: past the bound, those of agents that have not used theirs for longest are
// closed, under objects that stay awake and notice nothing, and opened anew when they are needed.
// One that has something under way is left alone. Owned by the host; JavaScript's thread only.
#pragma once

#include <cstddef>
#include <list>
#include <unordered_map>

namespace hearth::addon {

class Database;
class Host;

class OpenDatabases {
 public:
  explicit OpenDatabases(Host& host);

  // Every database says so when its file has been opened and when it is closed.
  void opened(Database& database);
  void closed(Database& database);

  std::size_t size() const { return places_.size(); }
  std::size_t limit() const { return limit_; }

 private:
  void close_some();

  Host& host_;
  const std::size_t limit_;
  std::list<Database*> order_;  // from the one that was opened, or seen to be in use, longest ago
  std::unordered_map<Database*, std::list<Database*>::iterator> places_;
  std::size_t closings_ = 0;  // since all were last waited for
};

}  // namespace hearth::addon
