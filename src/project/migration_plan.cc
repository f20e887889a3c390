#include "project/migration_plan.h"

#include <algorithm>

namespace hearth::project {
namespace {

bool contains(const std::vector<std::string>& list, const std::string& text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

std::string counted(std::uint64_t agents) {
  return std::to_string(agents) + (agents == 1 ? " agent" : " agents");
}

Error contradiction(std::string message) {
  return Error{ErrorCode::kConflict, "S304: " + std::move(message)};
}

class Planner {
 public:
  Planner(const Project& project, const StoredState& stored, const PlanOptions& options)
      : project_(project),
        options_(options),
        tags_(stored.tags),
        all_(stored.classes),
        reserved_(stored.reserved_keys) {}

  Result<MigrationPlan> run() {
    if (Status status = check_tags(); !status) return status.error();
    if (Status status = check_worker(); !status) return status.error();
    Status status;
    for (std::size_t i = 0; status && i < project_.migrations.size(); ++i) {
      const Migration& migration = project_.migrations[i];
      if (contains(tags_, migration.tag)) continue;
      status = apply(migration);
      plan_.tags.push_back(migration.tag);
    }
    for (std::size_t i = 0; status && i < project_.exports.size(); ++i) {
      status = apply(project_.exports[i]);
    }
    if (!status) return status.error();
    place_namespaces();
    if (status = check_lost(); !status) return status.error();
    for (const StoredClassState& each : all_) {
      if (each.worker == project_.name) plan_.classes.push_back(each);
    }
    return std::move(plan_);
  }

 private:
  StoredClassState* find(const std::string& worker, const std::string& class_name) {
    const auto found = std::find_if(all_.begin(), all_.end(), [&](const StoredClassState& each) {
      return each.worker == worker && each.class_name == class_name;
    });
    return found == all_.end() ? nullptr : &*found;
  }
  StoredClassState* own(const std::string& class_name) { return find(project_.name, class_name); }

  bool live(const std::string& class_name) const {
    return std::any_of(project_.namespaces.begin(), project_.namespaces.end(),
                       [&](const Namespace& each) { return each.class_name == class_name; });
  }

  // ---- what is applied

  // As at Cloudflare the last tag is what counts: earlier ones may have been tidied away.
  Status check_tags() {
    if (tags_.empty() || !project_.exports.empty()) return {};
    std::size_t last = project_.migrations.size();
    for (std::size_t i = 0; i < project_.migrations.size(); ++i) {
      if (project_.migrations[i].tag == tags_.back()) last = i;
    }
    if (last == project_.migrations.size()) {
      const std::string message = "the migration \"" + tags_.back() +
                                  "\" was applied to the stored agents of \"" + project_.name +
                                  "\", and this configuration lacks it";
      if (options_.tolerates_missing_tags) {
        plan_.warnings.push_back(message + " (S304)");
        return {};
      }
      return contradiction(message +
                           ": is it an older one?\n  Add that migration again, or name another "
                           "state directory with --state");
    }
    for (std::size_t i = 0; i < last; ++i) {
      const std::string& tag = project_.migrations[i].tag;
      if (contains(tags_, tag)) continue;
      return contradiction("the migration \"" + tag + "\" stands before \"" + tags_.back() +
                           "\", which was applied already: put it after that one");
    }
    return {};
  }

  // Agents are kept by the worker's name: one that is served for the first time, on a directory
  // that holds the same classes of a worker that is not served now, was most likely renamed.
  Status check_worker() {
    const bool known =
        !tags_.empty() || std::any_of(all_.begin(), all_.end(), [&](const StoredClassState& each) {
          return each.worker == project_.name;
        });
    if (known) return {};
    for (const StoredClassState& each : all_) {
      if (each.agents == 0 || contains(options_.workers, each.worker) || !live(each.class_name) ||
          taken_over(each)) {
        continue;
      }
      const std::string& name = each.class_name;
      const std::string edit =
          project_.exports.empty()
              ? "{ \"tag\": \"...\", \"transferred_classes\": [{ \"from\": \"" + name +
                    "\", \"from_script\": \"" + each.worker + "\", \"to\": \"" + name + "\" }] }"
              : "\"exports\": { \"" + name +
                    "\": { \"type\": \"durable-object\", \"storage\": \"sqlite\", \"state\": "
                    "\"expecting-transfer\", \"transfer_from\": \"" +
                    each.worker + "\" } }";
      return contradiction(
          "the state directory holds " + counted(each.agents) + " of the class " + name +
          " of the worker \"" + each.worker + "\", and this configuration is named \"" +
          project_.name +
          "\": its agents would be new and empty.\n  If it was renamed, name it \"" + each.worker +
          "\" again, or take the agents along: " + edit +
          "\n  If it is another worker, give it another state directory with "
          "--state");
    }
    return {};
  }

  bool taken_over(const StoredClassState& stored) const {
    for (const Migration& migration : project_.migrations) {
      for (const Migration::Transfer& each : migration.transferred_classes) {
        if (each.from_worker == stored.worker && each.from == stored.class_name) return true;
      }
    }
    return std::any_of(project_.exports.begin(), project_.exports.end(),
                       [&](const ExportedClass& each) {
                         return each.state == ExportedClass::State::kExpectingTransfer &&
                                each.other == stored.worker && each.name == stored.class_name;
                       });
  }

  // ---- the steps

  Status apply(const Migration& migration) {
    const std::string& tag = migration.tag;
    for (const std::string& each : migration.deleted_classes) remove(each, tag);
    for (const auto& [from, to] : migration.renamed_classes) {
      if (Status status = rename(from, to, tag); !status) return status;
    }
    for (const Migration::Transfer& each : migration.transferred_classes) {
      if (Status status = transfer(each.from_worker, each.from, each.to, tag); !status) {
        return status;
      }
    }
    return {};
  }

  // Entries that are done already change nothing: they may stay in the configuration.
  Status apply(const ExportedClass& entry) {
    using State = ExportedClass::State;
    switch (entry.state) {
      case State::kDeleted:
        remove(entry.name, "");
        return {};
      case State::kRenamed:
        return rename(entry.name, entry.other, "");
      case State::kExpectingTransfer:
        if (own(entry.name) != nullptr) return {};
        return transfer(entry.other, entry.name, entry.name, "");
      case State::kTransferred:  // the other worker fetches it
        handed_over_.push_back(entry.name);
        return {};
      case State::kCreated:
        return {};
    }
    return {};
  }

  void remove(const std::string& name, const std::string& tag) {
    StoredClassState* stored = own(name);
    if (stored == nullptr) return;
    // The record of tags is younger than some state: what a later migration makes again is meant.
    if (tags_.empty() && live(name)) return;
    plan_.steps.push_back(
        {StepKind::kDelete, tag, stored->unique_key, "", name, "", stored->agents});
    reserved_.push_back(stored->unique_key);  // its folder may be in use until it is moved
    all_.erase(all_.begin() + (stored - all_.data()));
  }

  // Makes room for a class that comes with its agents; refused if there are agents in its place.
  Status clear(const std::string& name, const StoredClassState& incoming, std::string_view what) {
    const StoredClassState* there = own(name);
    if (there == nullptr) return {};
    if (there->agents > 0) {
      return contradiction("\"" + incoming.class_name + "\" is to be " + std::string(what) + " \"" +
                           name + "\", and both have agents (" + counted(incoming.agents) + ", " +
                           counted(there->agents) +
                           "): hearth does not merge them.\n  Delete one of the two, or " +
                           (what == "renamed to" ? "rename" : "transfer") + " to another class");
    }
    plan_.forgotten.push_back(there->unique_key);
    all_.erase(all_.begin() + (there - all_.data()));
    return {};
  }

  Status rename(const std::string& from, const std::string& to, const std::string& tag) {
    const StoredClassState* stored = own(from);
    if (stored == nullptr || from == to) return {};
    const StoredClassState moved = *stored;
    if (tags_.empty() && live(from)) {
      const StoredClassState* there = own(to);
      if (there != nullptr && there->agents > 0) return {};  // as in remove()
    }
    if (Status status = clear(to, moved, "renamed to"); !status) return status;
    own(from)->class_name = to;
    plan_.steps.push_back({StepKind::kRename, tag, moved.unique_key, "", from, to, moved.agents});
    return {};
  }

  Status transfer(const std::string& worker, const std::string& from, const std::string& to,
                  const std::string& tag) {
    const StoredClassState* stored = find(worker, from);
    if (stored == nullptr) {
      if (own(to) == nullptr) {
        plan_.warnings.push_back(
            "the state directory holds no agents of the class \"" + from + "\" of the worker \"" +
            worker + "\" to transfer: \"" + to +
            "\" begins empty. To take them along, bring them into this state directory with "
            "`hearth state import` before the first start (C116)");
      }
      return {};
    }
    const StoredClassState moved = *stored;
    if (Status status = clear(to, moved, "transferred to"); !status) return status;
    StoredClassState* mine = find(worker, from);
    mine->worker = project_.name;
    mine->class_name = to;
    plan_.steps.push_back(
        {StepKind::kTransfer, tag, moved.unique_key, worker, from, to, moved.agents});
    return {};
  }

  // ---- the classes that are served

  // <worker>-<class>, as wrangler has it; that may belong to a class which has another name by now.
  std::string free_key(const std::string& class_name) const {
    const std::string wanted = project_.name + "-" + class_name;
    std::string key = wanted;
    const auto taken = [&](const StoredClassState& each) { return each.unique_key == key; };
    for (unsigned i = 2; contains(reserved_, key) || std::any_of(all_.begin(), all_.end(), taken);
         ++i) {
      key = wanted + "~" + std::to_string(i);
    }
    return key;
  }

  void place_namespaces() {
    for (const Namespace& each : project_.namespaces) {
      if (own(each.class_name) == nullptr) {
        const std::string key = free_key(each.class_name);
        all_.push_back({project_.name, each.class_name, key, 0});
        plan_.steps.push_back({StepKind::kCreate, "", key, "", "", each.class_name, 0});
      }
      plan_.unique_keys.push_back(own(each.class_name)->unique_key);
    }
  }

  // A stored class that nothing names any more while another is new: it was most likely renamed.
  // With none that is new it was taken out, and its agents stay on disk.
  Status check_lost() {
    std::string fresh;
    for (const MigrationStep& step : plan_.steps) {
      if (step.kind == StepKind::kCreate) fresh = step.to_class;
    }
    if (fresh.empty()) return {};
    for (const StoredClassState& each : all_) {
      if (each.worker != project_.name || each.agents == 0 || live(each.class_name)) continue;
      if (contains(handed_over_, each.class_name)) continue;
      const std::string& lost = each.class_name;
      const bool declarative = !project_.exports.empty();
      return contradiction(
          "the state directory holds " + counted(each.agents) + " of the class " + lost +
          ", which this configuration no longer has, while " + fresh +
          " is new.\n  If it was renamed, " +
          (declarative
               ? "add to \"exports\": \"" + lost +
                     "\": { \"type\": \"durable-object\", \"state\": \"renamed\", "
                     "\"renamed_to\": \"" +
                     fresh + "\" }"
               : "add a migration: { \"tag\": \"...\", \"renamed_classes\": [{ \"from\": \"" +
                     lost + "\", \"to\": \"" + fresh + "\" }] }") +
          "\n  If its agents are to go: " +
          (declarative
               ? "\"" + lost + "\": { \"type\": \"durable-object\", \"state\": \"deleted\" }"
               : "{ \"tag\": \"...\", \"deleted_classes\": [\"" + lost + "\"] }"));
    }
    return {};
  }

  const Project& project_;
  const PlanOptions& options_;
  const std::vector<std::string> tags_;
  std::vector<StoredClassState> all_;     // of every worker, as the steps so far leave them
  std::vector<std::string> reserved_;     // keys that are no new class's
  std::vector<std::string> handed_over_;  // to another worker, by `exports`
  MigrationPlan plan_;
};

}  // namespace

bool MigrationPlan::touches_agents() const {
  return std::any_of(steps.begin(), steps.end(),
                     [](const MigrationStep& each) { return each.kind != StepKind::kCreate; });
}

Result<MigrationPlan> plan_migrations(const Project& project, const StoredState& stored,
                                      const PlanOptions& options) {
  return Planner(project, stored, options).run();
}

Status check_deletions(const MigrationPlan& plan, const std::vector<std::string>& confirmed) {
  for (const MigrationStep& each : plan.steps) {
    if (each.kind != StepKind::kDelete || each.agents == 0) continue;
    if (contains(confirmed, each.from_class)) continue;
    return Error{
        ErrorCode::kConflict,
        "S306: " +
            (each.tag.empty() ? std::string("\"exports\"") : "the migration \"" + each.tag + "\"") +
            " deletes the class " + each.from_class + ", and " + counted(each.agents) +
            " of it are stored: their databases, alarms and sockets would go.\n  To let them go, "
            "start once with --yes-delete " +
            each.from_class + "; `hearth state backup` keeps a copy"};
  }
  return {};
}

}  // namespace hearth::project
