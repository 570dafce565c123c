#include "wire/cluster_config/edit.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <sstream>
#include <vector>

namespace bascule::config {
namespace {

using Lines = std::vector<std::string>;

Lines lines_of(std::string_view text) {
  Lines lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    lines.emplace_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

std::string joined_lines(const Lines& lines) {
  std::string text;
  for (const auto& line : lines) text += line + "\n";
  return text;
}

std::string trimmed_line(const std::string& line) {
  const auto first = line.find_first_not_of(" \t\r");
  if (first == std::string::npos) return {};
  return line.substr(first, line.find_last_not_of(" \t\r") - first + 1);
}

/// The name in "[KIND.NAME]", with or without quotes and a comment behind it; empty for any other line.
std::string name_in_header(const std::string& written, const std::string& kind) {
  const std::string line = trimmed_line(written), beginning = "[" + kind + ".";
  const auto close = line.find(']');
  if (line.rfind(beginning, 0) != 0 || close == std::string::npos) return {};
  std::string name = line.substr(beginning.size(), close - beginning.size());
  const bool quoted = name.size() > 2 && (name.front() == '"' || name.front() == '\'') && name.back() == name.front();
  return quoted ? name.substr(1, name.size() - 2) : name;
}

bool is_header(const std::string& line) { return !trimmed_line(line).empty() && trimmed_line(line).front() == '['; }

/// Lines [first, last) of the table, its header included. `last` is behind its last line that says something.
struct Table {
  std::size_t first = 0, last = 0;
};

std::optional<Table> find_table(const Lines& lines, const std::string& name, const std::string& kind = "node") {
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (name_in_header(lines[i], kind) != name) continue;
    Table table{i, i + 1};
    for (std::size_t j = i + 1; j < lines.size() && !is_header(lines[j]); ++j) {
      const std::string line = trimmed_line(lines[j]);
      if (!line.empty() && line.front() != '#') table.last = j + 1;
    }
    return table;
  }
  return std::nullopt;
}

tl::unexpected<Error> not_a_table(const std::string& name) {
  return fail("the configuration cannot be edited", "node." + name, "it is not written as a table of its own",
              "write [node." + name + "] on a line, and its keys below it");
}

bool is_key(const std::string& line, const std::string& key) {
  const std::string text = trimmed_line(line);
  if (text.rfind(key, 0) != 0) return false;
  const auto next = text.find_first_not_of(" \t", key.size());
  return next != std::string::npos && text[next] == '=';
}

std::optional<std::size_t> find_key(const Lines& lines, const Table& table, const std::string& key) {
  for (std::size_t i = table.first + 1; i < table.last; ++i)
    if (is_key(lines[i], key)) return i;
  return std::nullopt;
}

void flatten(const std::string& path, const toml::node& node, std::map<std::string, std::string>& found) {
  if (const auto* table = node.as_table()) {
    for (const auto& [key, value] : *table)
      flatten(path.empty() ? std::string(key.str()) : path + "." + std::string(key.str()), value, found);
    return;
  }
  std::ostringstream out;
  out << toml::node_view<const toml::node>(&node);
  std::string text = out.str();
  // A string is shown without quotes, whichever of TOML's it had.
  if (const auto word = node.value<std::string>(); node.is_string() && word) text = *word;
  found[path] = text;
}

bool is_word_character(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-'; }

std::string with_word_replaced(const std::string& text, const std::string& from, const std::string& to) {
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    const bool starts = text.compare(at, from.size(), from) == 0 && (at == 0 || !is_word_character(text[at - 1]));
    const std::size_t end = at + from.size();
    if (starts && (end >= text.size() || !is_word_character(text[end]))) {
      result += to;
      at = end;
    } else {
      result += text[at++];
    }
  }
  return result;
}

std::string written_addresses(const Node& node) {
  if (node.addresses.size() < 2) return fmt::format("\"{}\"", node.address);
  std::string list;
  for (const auto& address : node.addresses) list += (list.empty() ? "\"" : ", \"") + address + "\"";
  return "[" + list + "]";
}

/// As a key of TOML, in which a dot would part two keys.
std::string written_key(const std::string& name) {
  return name.find('.') == std::string::npos ? name : "\"" + name + "\"";
}

/// `disk = "/srv/data.img"` means every data node. Before there is another one it is said whom it means, for a volume
/// has two replicas. What is written in another way stays; the parser says what is wrong with it then.
void say_whose_disks(const ClusterConfig& config, const std::string& key, Lines& lines) {
  std::map<std::string, std::string> meaning = meaning_of(joined_lines(lines));
  for (const auto& volume : config.volumes) {
    const auto path = meaning.find("volume." + volume.name + "." + key);
    const auto table = find_table(lines, volume.name, "volume");
    const auto at = table ? find_key(lines, *table, key) : std::nullopt;
    if (path == meaning.end() || !at) continue;
    const auto written = lines[*at].find_first_of("\"'");
    const auto end = written == std::string::npos ? written : lines[*at].find(lines[*at][written], written + 1);
    if (end == std::string::npos) continue;
    const std::string value = lines[*at].substr(written, end + 1 - written);
    std::string each;
    for (const auto& [node, disk] : volume.disk) each += (each.empty() ? "" : ", ") + written_key(node) + " = " + value;
    lines[*at].replace(written, value.size(), "{ " + each + " }");
  }
}

}  // namespace

std::map<std::string, std::string> meaning_of(std::string_view text) {
  std::map<std::string, std::string> found;
  try {
    flatten("", toml::parse(text), found);
  } catch (const toml::parse_error&) {
    found.clear();
  }
  return found;
}

Result<std::string> with_ids(const std::string& text, const std::map<std::string, std::uint32_t>& ids) {
  Lines lines = lines_of(text);
  for (const auto& [name, id] : ids) {
    const auto table = find_table(lines, name);
    if (!table) return not_a_table(name);
    const std::string line = fmt::format("id = {}", id);
    if (const auto key = find_key(lines, *table, "id"))
      lines[*key] = line;
    else
      lines.insert(lines.begin() + static_cast<std::ptrdiff_t>(table->first) + 1, line);
  }
  return ids.empty() ? text : joined_lines(lines);
}

Result<std::string> with_node(const std::string& text, const Node& node) {
  Lines lines = lines_of(text);
  if (find_table(lines, node.name))
    return fail("the node is not added", node.name, "there is a node of this name already");
  if (const auto config = parse(text, "the configuration"); config && node.role == NodeRole::data)
    for (const char* key : {"disk", "metadata"}) say_whose_disks(*config, key, lines);
  lines.push_back("");
  lines.push_back("[node." + node.name + "]");
  if (node.id != 0) lines.push_back(fmt::format("id = {}", node.id));
  lines.push_back("address = " + written_addresses(node));
  if (node.role == NodeRole::witness) lines.emplace_back("role = \"witness\"");
  if (node.role == NodeRole::data && !node.has_vote) lines.emplace_back("votes = false");
  return joined_lines(lines);
}

Result<std::string> without_node(const std::string& text, const std::string& name) {
  Lines lines = lines_of(text);
  const auto table = find_table(lines, name);
  if (!table) return not_a_table(name);
  auto last = table->last;
  while (last < lines.size() && trimmed_line(lines[last]).empty()) ++last;
  lines.erase(lines.begin() + static_cast<std::ptrdiff_t>(table->first),
              lines.begin() + static_cast<std::ptrdiff_t>(last));
  return joined_lines(lines);
}

Result<std::string> with_node_replaced(const std::string& text, const std::string& old_name, const Node& node) {
  Lines lines = lines_of(with_word_replaced(text, old_name, node.name));
  const auto table = find_table(lines, node.name);
  if (!table) return not_a_table(old_name);
  const auto address = find_key(lines, *table, "address");
  if (!address) return not_a_table(old_name);
  lines[*address] = "address = " + written_addresses(node);
  const auto id = find_key(lines, *table, "id");
  if (id && node.id == 0)
    lines.erase(lines.begin() + static_cast<std::ptrdiff_t>(*id));
  else if (id)
    lines[*id] = fmt::format("id = {}", node.id);
  else if (node.id != 0)
    lines.insert(lines.begin() + static_cast<std::ptrdiff_t>(table->first) + 1, fmt::format("id = {}", node.id));
  return joined_lines(lines);
}

}  // namespace bascule::config
