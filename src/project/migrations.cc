#include "project/migrations.h"

#include <algorithm>
#include <optional>
#include <set>

namespace hearth::project {
namespace {

const std::vector<std::string> kMigrationKeys{"tag",
                                              "new_classes",
                                              "new_sqlite_classes",
                                              "renamed_classes",
                                              "deleted_classes",
                                              "transferred_classes"};

class Historian {
 public:
  explicit Historian(Findings& findings) : findings_(findings) {}

  ClassHistory take() { return std::move(history_); }

  void migration(const Value& entry, const std::string& path) {
    if (findings_.expect(&entry, Value::Kind::kObject, path) == nullptr) return;
    findings_.unknown_members(entry, path, kMigrationKeys);
    Migration migration;
    migration.tag = findings_
                        .required_text(entry, "tag", path + ".tag",
                                       "{ \"tag\": \"v1\", \"new_sqlite_classes\": [\"MyAgent\"] }")
                        .value_or("");
    if (!migration.tag.empty() && !tags_.insert(migration.tag).second) {
      findings_.warn(entry.at,
                     "the migration tag \"" + migration.tag + "\" is used twice; tags must differ",
                     "C116");
    }
    for_names(entry, path, "deleted_classes", [&](const std::string& name, Position at) {
      migration.deleted_classes.push_back(name);
      remove(name, at);
    });
    renames(entry, path, migration);
    transfers(entry, path, migration);
    for_names(entry, path, "new_classes", [&](const std::string& name, Position at) {
      migration.new_classes.push_back(name);
      findings_.warn(at,
                     "\"new_classes\" gives \"" + name +
                         "\" no SQL, which the Agents SDK needs; an Agent belongs into "
                         "\"new_sqlite_classes\"",
                     "C115", name);
      create(name, false, at);
    });
    for_names(entry, path, "new_sqlite_classes", [&](const std::string& name, Position at) {
      migration.new_sqlite_classes.push_back(name);
      create(name, true, at);
    });
    history_.migrations.push_back(std::move(migration));
  }

  // An entry of `exports`: { "type": "durable-object", "storage": "sqlite" } and its other states.
  void exported(const Member& member) {
    const std::string path = "exports." + member.key;
    if (findings_.expect(&member.value, Value::Kind::kObject, path) == nullptr) return;
    const std::string type = findings_.text(member.value, "type", path + ".type").value_or("");
    if (type != "durable-object") return;
    using State = ExportedClass::State;
    const std::string state =
        findings_.text(member.value, "state", path + ".state").value_or("created");
    const auto named = [&](const char* key, std::string_view what) {
      return findings_.required_text(member.value, key, path + "." + key, what).value_or("");
    };
    ExportedClass entry{member.key, State::kCreated, ""};
    if (state == "created" || state == "expecting-transfer") {
      const std::string storage = named("storage", "\"sqlite\" or \"legacy-kv\"");
      create(member.key, storage != "legacy-kv", member.at);
      if (state == "expecting-transfer") {
        entry.state = State::kExpectingTransfer;
        entry.other = named("transfer_from", "the worker that has the class now");
      }
    } else if (state == "renamed") {
      entry.state = State::kRenamed;
      entry.other = named("renamed_to", "the class's present name");
      if (!entry.other.empty()) history_.renamed[member.key] = entry.other;
    } else if (state == "transferred" || state == "deleted") {
      entry.state = state == "deleted" ? State::kDeleted : State::kTransferred;
      if (state == "transferred") {
        entry.other = named("transferred_to", "the worker that takes the class over");
      }
      history_.deleted[member.key] = member.at;
    } else {
      findings_.error(member.value.find("state")->at,
                      "\"" + path + ".state\" is \"" + state +
                          "\", expected created, deleted, renamed, transferred or "
                          "expecting-transfer",
                      "C104");
    }
    history_.exports.push_back(std::move(entry));
  }

  // What `exports` says of several entries, once all are read.
  void check_exports(const Value& exports) {
    for (const ExportedClass& each : history_.exports) {
      if (each.state != ExportedClass::State::kRenamed || each.other.empty() ||
          history_.find(each.other) != nullptr) {
        continue;
      }
      findings_.error(exports.find_member(each.name)->at,
                      "\"exports." + each.name + "\" is renamed to \"" + each.other +
                          "\", which \"exports\" does not have: add \"" + each.other +
                          "\": { \"type\": \"durable-object\", \"storage\": \"sqlite\" }",
                      "C116");
    }
    if (!history_.exports.empty() && !history_.migrations.empty()) {
      findings_.error(exports.at,
                      "the configuration has \"migrations\" and Durable Objects in \"exports\": "
                      "keep one of the two, as wrangler asks",
                      "C116");
    }
  }

 private:
  template <typename Each>
  void for_names(const Value& entry, const std::string& path, std::string_view key, Each each) {
    const std::string list_path = path + "." + std::string(key);
    const Value* list = findings_.expect(entry.find(key), Value::Kind::kArray, list_path);
    if (list == nullptr) return;
    for (std::size_t i = 0; i < list->items.size(); ++i) {
      const Value& item = list->items[i];
      const std::string item_path = list_path + "[" + std::to_string(i) + "]";
      if (findings_.expect(&item, Value::Kind::kString, item_path) == nullptr) continue;
      each(item.text, item.at);
    }
  }

  void renames(const Value& entry, const std::string& path, Migration& migration) {
    const std::string list_path = path + ".renamed_classes";
    const Value* list =
        findings_.expect(entry.find("renamed_classes"), Value::Kind::kArray, list_path);
    if (list == nullptr) return;
    for (std::size_t i = 0; i < list->items.size(); ++i) {
      const Value& item = list->items[i];
      const std::string item_path = list_path + "[" + std::to_string(i) + "]";
      if (findings_.expect(&item, Value::Kind::kObject, item_path) == nullptr) continue;
      const std::string shape = "{ \"from\": \"OldName\", \"to\": \"NewName\" }";
      const auto from = findings_.required_text(item, "from", item_path + ".from", shape);
      const auto to = findings_.required_text(item, "to", item_path + ".to", shape);
      if (!from || !to) continue;
      migration.renamed_classes.emplace_back(*from, *to);
      rename(*from, *to, item.at);
    }
  }

  void transfers(const Value& entry, const std::string& path, Migration& migration) {
    const std::string list_path = path + ".transferred_classes";
    const Value* list =
        findings_.expect(entry.find("transferred_classes"), Value::Kind::kArray, list_path);
    if (list == nullptr) return;
    for (std::size_t i = 0; i < list->items.size(); ++i) {
      const Value& item = list->items[i];
      const std::string item_path = list_path + "[" + std::to_string(i) + "]";
      if (findings_.expect(&item, Value::Kind::kObject, item_path) == nullptr) continue;
      const std::string shape =
          "{ \"from\": \"Name\", \"from_script\": \"worker\", \"to\": \"NewName\" }";
      const auto from = findings_.required_text(item, "from", item_path + ".from", shape);
      const auto script =
          findings_.required_text(item, "from_script", item_path + ".from_script", shape);
      const auto to = findings_.required_text(item, "to", item_path + ".to", shape);
      if (!from || !script || !to) continue;
      migration.transferred_classes.push_back({*script, *from, *to});
      // Whether the other worker's class had SQL is not known here; with SQL both kinds work.
      create(*to, true, item.at);
    }
  }

  void create(const std::string& name, bool sqlite, Position at) {
    if (history_.find(name) != nullptr) {
      findings_.warn(at, "the class \"" + name + "\" is made by two migrations", "C116");
      return;
    }
    history_.deleted.erase(name);
    history_.classes.push_back({name, sqlite, at});
  }

  void remove(const std::string& name, Position at) {
    if (std::erase_if(history_.classes,
                      [&](const StoredClass& stored) { return stored.name == name; }) == 0) {
      findings_.warn(at, "\"deleted_classes\" names \"" + name + "\", which no migration made",
                     "C116");
    }
    history_.deleted[name] = at;
  }

  void rename(const std::string& from, const std::string& to, Position at) {
    const auto known = std::find_if(history_.classes.begin(), history_.classes.end(),
                                    [&](const StoredClass& stored) { return stored.name == from; });
    if (known == history_.classes.end()) {
      findings_.warn(at,
                     "\"renamed_classes\" renames \"" + from + "\", which no migration before made",
                     "C116");
      create(to, true, at);
    } else {
      known->name = to;
      known->at = at;
    }
    history_.renamed[from] = to;
  }

  Findings& findings_;
  ClassHistory history_;
  std::set<std::string> tags_;
};

}  // namespace

const StoredClass* ClassHistory::find(const std::string& name) const {
  const auto found = std::find_if(classes.begin(), classes.end(),
                                  [&](const StoredClass& stored) { return stored.name == name; });
  return found == classes.end() ? nullptr : &*found;
}

ClassHistory read_migrations(const Value& config, Findings& findings) {
  Historian historian(findings);
  const Value* list = findings.expect(config.find("migrations"), Value::Kind::kArray, "migrations");
  if (list != nullptr) {
    for (std::size_t i = 0; i < list->items.size(); ++i) {
      historian.migration(list->items[i], "migrations[" + std::to_string(i) + "]");
    }
  }
  const Value* exports = findings.expect(config.find("exports"), Value::Kind::kObject, "exports");
  if (exports != nullptr) {
    for (const Member& member : exports->members) historian.exported(member);
    historian.check_exports(*exports);
  }
  return historian.take();
}

}  // namespace hearth::project
