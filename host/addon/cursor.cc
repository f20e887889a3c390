#include "cursor.h"

#include <memory>
#include <utility>

#include "values.h"

namespace hearth::addon {

namespace {

// A portion of rows: enough that few results need a second, small enough that a result of which
// only the beginning is read costs little.
constexpr std::uint32_t kPortionRows = 512;
constexpr std::size_t kPortionBytes = 1024 * 1024;

// `more()` is null, or gives [rows, rowsRead, rowsWritten, whether there is more].
constexpr char kFactory[] = R"js((function () {
  'use strict';
  class Cursor {
    #rows; #at = 0; #more; #rowsRead; #rowsWritten;
    constructor(columnNames, rows, rowsRead, rowsWritten, more) {
      this.columnNames = columnNames;
      this.#rows = rows;
      this.#rowsRead = rowsRead;
      this.#rowsWritten = rowsWritten;
      this.#more = more;
    }
    get rowsRead() { return this.#rowsRead; }
    get rowsWritten() { return this.#rowsWritten; }
    #fetch() {
      const [rows, rowsRead, rowsWritten, more] = this.#more();
      this.#rows = rows;
      this.#at = 0;
      this.#rowsRead = rowsRead;
      this.#rowsWritten = rowsWritten;
      if (!more) this.#more = null;
    }
    next() {
      while (this.#at >= this.#rows.length) {
        if (this.#more === null) return null;
        this.#fetch();
      }
      return this.#rows[this.#at++];
    }
    all() {
      let result = this.#at === 0 ? this.#rows : this.#rows.slice(this.#at);
      while (this.#more !== null) {
        this.#fetch();
        result = result.concat(this.#rows);
      }
      this.#rows = [];
      this.#at = 0;
      return result;
    }
  }
  return (columnNames, rows, rowsRead, rowsWritten, more) =>
    new Cursor(columnNames, rows, rowsRead, rowsWritten, more);
})())js";

struct Names {
  Names(napi_env environment, napi_ref names) : env(environment), reference(names) {}
  ~Names() { napi_delete_reference(env, reference); }
  Names(const Names&) = delete;
  Names& operator=(const Names&) = delete;

  napi_env env;
  napi_ref reference;
};

napi_value make_value(napi_env env, const storage::SqlCursor& cursor, int column,
                      std::size_t& bytes) {
  switch (cursor.type(column)) {
    case storage::ColumnType::kNull:
      return make_null(env);
    case storage::ColumnType::kInteger:
    case storage::ColumnType::kReal:
      return make_number(env, cursor.number(column));
    case storage::ColumnType::kText: {
      const std::string_view text = cursor.text(column);
      bytes += text.size();
      return make_text(env, text);
    }
    case storage::ColumnType::kBlob: {
      const std::string_view blob = cursor.blob(column);
      bytes += blob.size();
      return make_array_buffer(env, blob);
    }
  }
  return make_null(env);
}

struct Portion {
  napi_value rows = nullptr;
  bool more = false;
};

// Rows from the one that was found on; null rows with an exception pending.
Portion take_portion(napi_env env, storage::SqlCursor& cursor, storage::Step step) {
  Portion portion;
  napi_create_array(env, &portion.rows);
  std::size_t bytes = 0;
  for (std::uint32_t row = 0; step == storage::Step::kRow; ++row) {
    // SQLite does not commit while a statement that writes is under way: its rows come all at once.
    if ((row >= kPortionRows || bytes > kPortionBytes) && cursor.statement()->read_only()) {
      portion.more = true;
      break;
    }
    const int columns = cursor.columns();
    napi_value values = nullptr;
    napi_create_array_with_length(env, static_cast<std::size_t>(columns), &values);
    for (int column = 0; column < columns; ++column) {
      napi_value value = make_value(env, cursor, column, bytes);
      if (value == nullptr) {
        napi_throw_error(env, nullptr, "a value of the result is too large for JavaScript");
        return {};
      }
      napi_set_element(env, values, static_cast<std::uint32_t>(column), value);
    }
    napi_set_element(env, portion.rows, row, values);
    Result<storage::Step> next = cursor.step();
    if (!next) {
      napi_throw_error(env, nullptr, next.error().message.c_str());
      return {};
    }
    step = *next;
  }
  return portion;
}

napi_value make_names(napi_env env, storage::SqlCursor& cursor) {
  storage::Statement& statement = *cursor.statement();
  const int prepares = cursor.prepares();
  napi_value names = nullptr;
  if (statement.attachment && statement.attachment_prepares == prepares) {
    const auto* kept = static_cast<const Names*>(statement.attachment.get());
    napi_get_reference_value(env, kept->reference, &names);
    return names;
  }
  const int columns = cursor.columns();
  napi_create_array_with_length(env, static_cast<std::size_t>(columns), &names);
  for (int column = 0; column < columns; ++column) {
    napi_set_element(env, names, static_cast<std::uint32_t>(column),
                     make_text(env, cursor.column_name(column)));
  }
  napi_ref reference = nullptr;
  if (napi_create_reference(env, names, 1, &reference) == napi_ok) {
    statement.attachment = std::make_shared<Names>(env, reference);
    statement.attachment_prepares = prepares;
  }
  return names;
}

// A result of more than a portion: the row that was found last is the next portion's first.
struct LiveCursor {
  std::unique_ptr<storage::SqlCursor> cursor;
};

napi_value fetch_more(napi_env env, napi_callback_info info) {
  void* data = nullptr;
  napi_get_cb_info(env, info, nullptr, nullptr, nullptr, &data);
  auto* live = static_cast<LiveCursor*>(data);
  storage::SqlCursor& cursor = *live->cursor;
  if (cursor.statement() == nullptr) {
    napi_throw_error(env, nullptr,
                     "The rest of this result cannot be read: its database was closed, or the "
                     "cursor was ended by deleteAll() or by 64 MiB of writes while it was open.");
    return nullptr;
  }
  const Portion portion = take_portion(env, cursor, storage::Step::kRow);
  if (portion.rows == nullptr) return nullptr;
  if (!portion.more) cursor.finish();
  napi_value result = nullptr;
  napi_create_array_with_length(env, 4, &result);
  napi_set_element(env, result, 0, portion.rows);
  napi_set_element(env, result, 1, make_number(env, static_cast<double>(cursor.rows_read())));
  napi_set_element(env, result, 2, make_number(env, static_cast<double>(cursor.rows_written())));
  napi_set_element(env, result, 3, make_boolean(env, portion.more));
  return result;
}

napi_value make_more(napi_env env, std::unique_ptr<storage::SqlCursor> cursor) {
  auto live = std::make_unique<LiveCursor>(LiveCursor{std::move(cursor)});
  napi_value more = nullptr;
  napi_create_function(env, "more", NAPI_AUTO_LENGTH, fetch_more, live.get(), &more);
  napi_add_finalizer(
      env, more, live.get(),
      [](napi_env, void* data, void*) { delete static_cast<LiveCursor*>(data); }, nullptr, nullptr);
  (void)live.release();  // the function's now
  return more;
}

}  // namespace

napi_value Cursors::factory() {
  napi_value function = nullptr;
  if (factory_ != nullptr) {
    napi_get_reference_value(env_, factory_, &function);
    return function;
  }
  napi_value source = make_ascii(env_, {kFactory, sizeof kFactory - 1});
  if (napi_run_script(env_, source, &function) != napi_ok) return nullptr;
  napi_create_reference(env_, function, 1, &factory_);
  return function;
}

napi_value Cursors::make(storage::AgentDatabase::Execution execution) {
  storage::SqlCursor& cursor = *execution.cursor;
  napi_value make = factory();
  if (make == nullptr) return nullptr;
  napi_value names = make_names(env_, cursor);
  const Portion portion = take_portion(env_, cursor, execution.first);
  if (portion.rows == nullptr) return nullptr;
  if (!portion.more) cursor.finish();
  const napi_value arguments[] = {
      names,
      portion.rows,
      make_number(env_, static_cast<double>(cursor.rows_read())),
      make_number(env_, static_cast<double>(cursor.rows_written())),
      portion.more ? make_more(env_, std::move(execution.cursor)) : make_null(env_),
  };
  napi_value result = nullptr;
  napi_value receiver = make_undefined(env_);
  napi_call_function(env_, receiver, make, std::size(arguments), arguments, &result);
  return result;
}

}  // namespace hearth::addon
