#include "project/keys.h"

#include <algorithm>
#include <array>

namespace hearth::project {
namespace {

using enum Inheritance;
using enum BindingShape;
constexpr KeySupport kYes = KeySupport::kSupported;
constexpr KeySupport kOther = KeySupport::kReplaced;
constexpr KeySupport kNo = KeySupport::kIgnored;

// Sorted by what a reader looks for: the worker, its build, its state, its variables, what it binds
// that hearth has, what it binds that hearth lacks, and what concerns Cloudflare's service alone.
constexpr std::array kKeys = std::to_array<Key>({
    {"$schema", kTopLevel, kYes, kNone, "for editors"},
    {"name", kInherited, kYes, kNone,
     "part of every agent's identity: changing it is refused while agents are stored, unless they "
     "are transferred; --env appends "
     "\"-<env>\""},
    {"main", kInherited, kYes, kNone, "the entry point"},
    {"compatibility_date", kInherited, kYes, kNone,
     "told to the code; hearth has one behaviour, the current one"},
    {"compatibility_flags", kInherited, kYes, kNone,
     "told to the code; Node.js's own modules are there with and without nodejs_compat"},
    {"env", kTopLevel, kYes, kNone, "environments, chosen by --env, inherited as wrangler does"},

    {"alias", kTopLevel, kYes, kNone, "imports replaced while bundling"},
    {"base_dir", kInherited, kYes, kNone, "where find_additional_modules looks"},
    {"build", kInherited, kYes, kNone,
     "its command runs before bundling, and in dev again when watch_dir changes"},
    {"define", kNotInherited, kYes, kNone, "names replaced by values while bundling"},
    {"find_additional_modules", kInherited, kYes, kNone,
     "modules that are imported by a computed name"},
    {"jsx_factory", kInherited, kYes, kNone, "how JSX is compiled"},
    {"jsx_fragment", kInherited, kYes, kNone, "how JSX is compiled"},
    {"keep_names", kInherited, kYes, kNone,
     "on unless false; the Agents SDK finds classes by their names"},
    {"minify", kInherited, kYes, kNone, "the bundle is minified"},
    {"no_bundle", kInherited, kOther, kNone,
     "the code is linked with its imports, but neither minified nor otherwise changed"},
    {"preserve_file_names", kInherited, kNo, kNone, "files beside the bundle are named by content"},
    {"rules", kInherited, kYes, kNone, "Text, Data, CompiledWasm, ESModule and CommonJS modules"},
    {"tsconfig", kInherited, kYes, kNone, "the TypeScript settings of the build"},
    {"upload_source_maps", kInherited, kNo, kNone, "nothing is uploaded; stacks are always mapped"},

    {"durable_objects", kNotInherited, kYes, kNone,
     "classes of this worker, and by script_name of others that are served too"},
    {"exports", kInherited, kYes, kNone, "durable-object entries, in the place of migrations"},
    {"migrations", kInherited, kYes, kNone,
     "which classes store state, and which are new, renamed, deleted or transferred"},

    {"ai", kNotInherited, kOther, kNone,
     "answered by an OpenAI-compatible service, named by OPENROUTER_API_KEY or HEARTH_AI_BASE_URL"},
    {"assets", kInherited, kYes, kNone, "files served from a directory"},
    {"secrets", kNotInherited, kYes, kNone,
     "required names are looked for in .dev.vars, .env and the environment"},
    {"services", kNotInherited, kYes, kNone,
     "entrypoints of this worker, and of others that are served too (a further -c)"},
    {"triggers", kInherited, kYes, kNone, "crons run the scheduled handler"},
    {"vars", kNotInherited, kYes, kNone, "any JSON value; .dev.vars, .env and --var override it"},
    {"version_metadata", kNotInherited, kOther, kNone,
     "the id and timestamp are those of the configuration file"},
    {"dev", kTopLevel, kOther, kNone, "ip and port are used unless --ip and --port say otherwise"},

    {"agent_memory", kNotInherited, kNo, kListBinding, "hearth has no Agent Memory"},
    {"ai_search", kNotInherited, kNo, kListBinding, "hearth has no AI Search"},
    {"ai_search_namespaces", kNotInherited, kNo, kListBinding, "hearth has no AI Search"},
    {"analytics", kNotInherited, kNo, kObject, "hearth has no analytics service"},
    {"analytics_engine_datasets", kNotInherited, kNo, kListBinding,
     "hearth has no Analytics Engine"},
    {"artifacts", kNotInherited, kNo, kListBinding, "hearth has no Artifacts"},
    {"browser", kNotInherited, kNo, kObject,
     "hearth has no Browser Rendering; run a browser with playwright-core or puppeteer instead"},
    {"d1_databases", kNotInherited, kNo, kListBinding,
     "hearth has no D1; every agent has SQLite of its own (this.sql)"},
    {"dispatch_namespaces", kNotInherited, kNo, kListBinding, "hearth has no dispatch namespaces"},
    {"flagship", kNotInherited, kNo, kListBinding, "hearth has no Flagship"},
    {"hyperdrive", kNotInherited, kNo, kListBinding,
     "hearth has no Hyperdrive; connect to the database with its own Node.js driver"},
    {"images", kNotInherited, kNo, kObject,
     "hearth has no Images service; sharp works in its place"},
    {"k2", kNotInherited, kNo, kListBinding, "hearth has no K2 streams"},
    {"kv_namespaces", kNotInherited, kNo, kListBinding,
     "hearth has no KV; keep the values in an agent's storage"},
    {"media", kNotInherited, kNo, kObject, "hearth has no Media Transformations"},
    {"mtls_certificates", kNotInherited, kNo, kListBinding,
     "hearth has no certificate bindings; node:tls and node:https take certificates"},
    {"pipelines", kNotInherited, kNo, kListBinding, "hearth has no Pipelines"},
    {"queues", kNotInherited, kNo, kProducers,
     "hearth has no Queues; an agent's own queue() and schedule() do similar work"},
    {"r2_buckets", kNotInherited, kNo, kListBinding,
     "hearth has no R2; node:fs reaches the machine's own files"},
    {"ratelimits", kNotInherited, kNo, kListName, "hearth has no rate limiting bindings"},
    {"secrets_store_secrets", kNotInherited, kNo, kListBinding,
     "hearth has no Secrets Store; put the secret into .dev.vars"},
    {"send_email", kNotInherited, kNo, kListName, "hearth sends no email"},
    {"stream", kNotInherited, kNo, kObject, "hearth has no Stream service"},
    {"unsafe", kNotInherited, kNo, kBindingsName,
     "hearth has none of the bindings that only Cloudflare's own service knows"},
    {"unsafe_hello_world", kNotInherited, kNo, kListBinding,
     "hearth has no binding of Cloudflare's own tests"},
    {"vectorize", kNotInherited, kNo, kListBinding,
     "hearth has no Vectorize; the agent's SQLite can hold vectors"},
    {"vpc_networks", kNotInherited, kNo, kListBinding,
     "hearth has no VPC bindings; the machine's own network is reachable by fetch"},
    {"vpc_services", kNotInherited, kNo, kListBinding,
     "hearth has no VPC bindings; the machine's own network is reachable by fetch"},
    {"worker_loaders", kNotInherited, kNo, kListBinding, "hearth loads no workers at run time"},
    {"workflows", kNotInherited, kNo, kListBinding,
     "hearth has no Workflows; an agent's schedule() and queue() do similar work"},
    {"data_blobs", kTopLevel, kNo, kNone, "of the older worker format; import the file instead"},
    {"text_blobs", kTopLevel, kNo, kNone, "of the older worker format; import the file instead"},
    {"wasm_modules", kTopLevel, kNo, kNone, "of the older worker format; import the file instead"},
    {"site", kTopLevel, kNo, kNone, "Workers Sites; use \"assets\" instead"},

    {"access", kInherited, kNo, kNone, "Cloudflare Access guards Cloudflare's own edge"},
    {"account_id", kInherited, kNo, kNone, "no account is needed"},
    {"addresses", kTopLevel, kNo, kNone, "hearth receives no email"},
    {"cache", kInherited, kNo, kNone, "hearth does not cache responses"},
    {"cloudchamber", kNotInherited, kNo, kNone, "hearth runs no containers"},
    {"compliance_region", kInherited, kNo, kNone, "the data is on this machine"},
    {"connect", kNotInherited, kNo, kNone, "hearth accepts HTTP and WebSocket only"},
    {"containers", kNotInherited, kNo, kNone,
     "hearth runs no containers; node:child_process runs programs"},
    {"dependencies_instrumentation", kTopLevel, kNo, kNone, "hearth reports no dependencies"},
    {"first_party_worker", kInherited, kNo, kNone, "concerns Cloudflare's own workers"},
    {"keep_vars", kTopLevel, kNo, kNone, "there is no dashboard whose variables to keep"},
    {"limits", kInherited, kOther, kNone,
     "cpu_ms is the CPU time of one turn of the event loop, not of an invocation"},
    {"logfwdr", kInherited, kNo, kNone, "hearth forwards no logs; it prints them"},
    {"logpush", kInherited, kNo, kNone, "hearth pushes no logs; it prints them"},
    {"observability", kInherited, kNo, kNone, "hearth prints its logs"},
    {"pages_build_output_dir", kTopLevel, kNo, kNone, "Cloudflare Pages; use \"assets\" instead"},
    {"placement", kInherited, kNo, kNone, "everything runs on this machine"},
    {"preview_urls", kInherited, kNo, kNone, "there are no preview addresses"},
    {"previews", kInherited, kNo, kNone, "there are no preview deployments"},
    {"python_modules", kInherited, kNo, kNone, "hearth runs no Python workers"},
    {"route", kInherited, kNo, kNone, "hearth answers every host name that reaches it"},
    {"routes", kInherited, kNo, kNone, "hearth answers every host name that reaches it"},
    {"send_metrics", kTopLevel, kNo, kNone, "hearth sends no usage metrics"},
    {"streaming_tail_consumers", kNotInherited, kNo, kNone, "hearth has no tail workers"},
    {"tail_consumers", kNotInherited, kNo, kNone, "hearth has no tail workers"},
    {"workers_dev", kInherited, kNo, kNone, "there is no workers.dev address"},
});

std::string_view inheritance_text(Inheritance inheritance) {
  switch (inheritance) {
    case kInherited:
      return "inherited";
    case kNotInherited:
      return "per environment";
    case kTopLevel:
      return "top level only";
  }
  return "";
}

}  // namespace

std::span<const Key> all_keys() {
  return kKeys;
}

const Key* find_key(std::string_view name) {
  const auto found =
      std::find_if(kKeys.begin(), kKeys.end(), [&](const Key& key) { return key.name == name; });
  return found == kKeys.end() ? nullptr : &*found;
}

std::vector<std::string> key_names() {
  std::vector<std::string> names;
  for (const Key& key : kKeys) names.emplace_back(key.name);
  return names;
}

std::string_view to_string(KeySupport support) {
  switch (support) {
    case KeySupport::kSupported:
      return "supported";
    case KeySupport::kReplaced:
      return "replaced";
    case KeySupport::kIgnored:
      return "ignored";
    case KeySupport::kUnknown:
      return "unknown";
  }
  return "";
}

std::string keys_as_markdown() {
  std::string out = "| key | hearth | with `--env` | note |\n|---|---|---|---|\n";
  for (const Key& key : kKeys) {
    std::string_view support = to_string(key.support);
    if (key.unsupported_bindings != BindingShape::kNone) support = "throws when used";
    out += "| `" + std::string(key.name) + "` | " + std::string(support) + " | " +
           std::string(inheritance_text(key.inheritance)) + " | " + std::string(key.note) + " |\n";
  }
  return out;
}

}  // namespace hearth::project
