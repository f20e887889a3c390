// What SQL of user code may do, as an authorizer and limits on its connection: the rules of the
// platform as workerd applies them (developers.cloudflare.com/durable-objects, "SQL API"; each was
// tried against workerd). Names that begin with _cf_ are ours; transactions, other files, temporary
// tables and most pragmas are refused. Belongs to the connection's thread.
#pragma once

#include <atomic>
#include <string_view>

struct sqlite3;

namespace hearth::storage {

// BEGIN, COMMIT, SAVEPOINT and the like from user code fail with this.
extern const char kTransactionRefusal[];

class Rules {
 public:
  // Sets the limits and begins to watch what is prepared. `this` outlives the connection.
  void install(sqlite3* connection);

  // While one lives, statements are our own and everything is allowed.
  class Trusted {
   public:
    explicit Trusted(Rules& rules) : rules_(rules) { ++rules_.trusted_; }
    ~Trusted() { --rules_.trusted_; }
    Trusted(const Trusted&) = delete;
    Trusted& operator=(const Trusted&) = delete;

   private:
    Rules& rules_;
  };

  // What the last statement that was prepared tried: cleared by `reset`.
  bool tried_transaction() const { return tried_transaction_; }
  // It is a pragma that means something only within a transaction.
  bool wants_transaction() const { return wants_transaction_; }
  // It alters a table, and may give it a name that SQLite does not ask about.
  bool alters() const { return alters_; }
  // User code has set or asked for what only this connection knows: the value of a pragma,
  // changes(), last_insert_rowid(). Closing it unseen and opening it anew would show. Never
  // cleared.
  bool remembers() const { return remembers_; }
  void reset() { tried_transaction_ = wants_transaction_ = alters_ = false; }

 private:
  static int authorize(void* self, int action, const char* first, const char* second,
                       const char* database, const char* trigger);
  bool allowed(int action, const char* first, const char* second, const char* database);
  bool function_allowed(std::string_view name);
  bool pragma_allowed(const char* name, const char* argument);

  // Atomic because the syncer's thread counts too. It does so with the connection's mutex held, and
  // SQLite asks with that mutex held: what it may do is never lent to a statement of user code.
  std::atomic<int> trusted_ = 0;
  bool tried_transaction_ = false;
  bool wants_transaction_ = false;
  bool alters_ = false;
  bool remembers_ = false;
};

}  // namespace hearth::storage
