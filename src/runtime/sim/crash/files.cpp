#include "runtime/sim/crash/files.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <set>

namespace bascule::sim {
namespace {

int failed(int error_number) {
  errno = error_number;
  return -1;
}

std::string amount(std::size_t bytes) { return std::to_string(bytes) + " bytes"; }

}  // namespace

CrashFiles::CrashFiles() : nodes_(1) {
  nodes_[0].is_directory = true;
  nodes_[0].mode = 0755;
}

int CrashFiles::done(const std::string& what) {
  if (changed) changed(what);
  return 0;
}

// ---- names ------------------------------------------------------------------------------------------------------

bool CrashFiles::find(const std::string& path, Place& place) const {
  place = {0, ""};
  std::string part;
  const auto descend = [&] {
    if (part.empty() || part == ".") return true;
    if (!place.name.empty()) {
      const auto& names = nodes_[place.directory].names;
      const auto found = names.find(place.name);
      if (found == names.end()) return failed(ENOENT) == 0;
      if (!nodes_[found->second].is_directory) return failed(ENOTDIR) == 0;
      place.directory = found->second;
    }
    place.name = std::exchange(part, "");
    return true;
  };
  for (const char letter : path) {
    if (letter != '/')
      part.push_back(letter);
    else if (!descend())
      return false;
  }
  return descend();
}

bool CrashFiles::find(const std::string& path, Number& number) const {
  Place place;
  if (!find(path, place)) return false;
  number = place.directory;
  if (place.name.empty()) return true;
  const auto found = nodes_[place.directory].names.find(place.name);
  if (found == nodes_[place.directory].names.end()) return failed(ENOENT) == 0;
  number = found->second;
  return true;
}

void CrashFiles::apply(std::map<std::string, Number>& names, const Node::Change& change) {
  if (!change.removed.empty()) names.erase(change.removed);
  if (!change.name.empty()) names[change.name] = change.number;
}

void CrashFiles::change_names(Number directory, const Node::Change& change) {
  apply(nodes_[directory].names, change);
  nodes_[directory].changes.push_back(change);
}

int CrashFiles::rename(const std::string& from, const std::string& to) {
  if (frozen_) return failed(EIO);
  Place old_place, new_place;
  Number number = 0;
  if (!find(from, old_place) || !find(to, new_place) || !find(from, number)) return -1;
  if (old_place.directory != new_place.directory) return failed(EXDEV);
  if (const auto there = nodes_[new_place.directory].names.find(new_place.name);
      there != nodes_[new_place.directory].names.end() && nodes_[there->second].is_directory)
    return failed(EISDIR);
  change_names(old_place.directory, {old_place.name, new_place.name, number});
  return done("rename " + from + " to " + to);
}

int CrashFiles::link(const std::string& existing, const std::string& name) {
  Place place;
  Number number = 0;
  if (!find(existing, number) || !find(name, place)) return -1;
  if (nodes_[place.directory].names.contains(place.name)) return failed(EEXIST);
  change_names(place.directory, {"", place.name, number});
  return done("link " + existing + " as " + name);
}

int CrashFiles::remove(const std::string& path) {
  Place place;
  Number number = 0;
  if (!find(path, place) || !find(path, number)) return -1;
  change_names(place.directory, {place.name, "", 0});
  return done("remove " + path);
}

int CrashFiles::make_directory(const std::string& path, mode_t mode) {
  Place place;
  if (!find(path, place)) return -1;
  if (place.name.empty() || nodes_[place.directory].names.contains(place.name)) return failed(EEXIST);
  nodes_.emplace_back();
  nodes_.back().is_directory = true;
  nodes_.back().mode = mode;
  change_names(place.directory, {"", place.name, nodes_.size() - 1});
  return done("make directory " + path);
}

// ---- files ------------------------------------------------------------------------------------------------------

int CrashFiles::opened(Number number, const std::string& path) {
  auto free = std::find_if(opened_.begin(), opened_.end(), [](const Opened& one) { return !one.in_use; });
  if (free == opened_.end()) free = opened_.insert(opened_.end(), Opened{});
  *free = Opened{number, 0, path, true};
  return static_cast<int>(free - opened_.begin());
}

int CrashFiles::open(const std::string& path, int flags, mode_t mode) {
  Place place;
  if (!find(path, place)) return -1;
  const auto found = nodes_[place.directory].names.find(place.name);
  const bool there = place.name.empty() || found != nodes_[place.directory].names.end();
  if (there && (flags & O_EXCL) != 0 && (flags & O_CREAT) != 0) return failed(EEXIST);
  if (!there) {
    if ((flags & O_CREAT) == 0) return failed(ENOENT);
    if (frozen_) return failed(EIO);
    nodes_.emplace_back();
    nodes_.back().mode = mode;
    change_names(place.directory, {"", place.name, nodes_.size() - 1});
    const int descriptor = opened(nodes_.size() - 1, path);
    done("create " + path);
    return descriptor;
  }
  const Number number = place.name.empty() ? place.directory : found->second;
  if (nodes_[number].is_directory && (flags & O_ACCMODE) != O_RDONLY) return failed(EISDIR);
  const int descriptor = opened(number, path);
  if ((flags & O_TRUNC) != 0 && nodes_[number].size != 0) (void)cut(descriptor, 0);
  return descriptor;
}

void CrashFiles::close(int descriptor) { opened_[static_cast<std::size_t>(descriptor)].in_use = false; }

ssize_t CrashFiles::read_at(int descriptor, std::span<Byte> into, std::uint64_t offset) {
  const Node& node = nodes_[opened_[static_cast<std::size_t>(descriptor)].number];
  if (node.is_directory) return failed(EISDIR);
  const std::uint64_t there = offset >= node.size ? 0 : std::min<std::uint64_t>(into.size(), node.size - offset);
  node.bytes.read(offset, into.first(there));
  return static_cast<ssize_t>(there);
}

ssize_t CrashFiles::read(int descriptor, std::span<Byte> into) {
  auto& file = opened_[static_cast<std::size_t>(descriptor)];
  const ssize_t got = read_at(descriptor, into, file.position);
  if (got > 0) file.position += static_cast<std::uint64_t>(got);
  return got;
}

void CrashFiles::set_size(Node& node, std::uint64_t size) {
  if (size < node.size) node.bytes.write(size, Bytes(node.size - size, 0));
  node.size = size;
  node.sizes.push_back(size);
}

ssize_t CrashFiles::write_at(int descriptor, ByteView bytes, std::uint64_t offset) {
  if (frozen_) return failed(EIO);
  const auto& file = opened_[static_cast<std::size_t>(descriptor)];
  Node& node = nodes_[file.number];
  node.bytes.write(offset, bytes);
  if (offset + bytes.size() > node.size) set_size(node, offset + bytes.size());
  done("write " + file.path + ", " + amount(bytes.size()) + " at " + std::to_string(offset));
  return static_cast<ssize_t>(bytes.size());
}

int CrashFiles::cut(int descriptor, std::uint64_t size) {
  const auto& file = opened_[static_cast<std::size_t>(descriptor)];
  Node& node = nodes_[file.number];
  if (size == node.size) return 0;
  set_size(node, size);
  return done("cut " + file.path + " to " + amount(size));
}

int CrashFiles::sync(int descriptor) {
  if (frozen_) return failed(EIO);
  const auto& file = opened_[static_cast<std::size_t>(descriptor)];
  Node& node = nodes_[file.number];
  if (forgets_sync && forgets_sync(file.path)) return 0;
  ++flushes_;
  node.bytes.flush();
  node.durable_size = node.size;
  node.sizes.clear();
  node.durable_names = node.names;
  node.changes.clear();
  return done("sync " + file.path);
}

int CrashFiles::status(const std::string& path, struct stat& about) {
  Number number = 0;
  if (!find(path, number)) return -1;
  const Node& node = nodes_[number];
  about = {};
  about.st_mode = node.mode | (node.is_directory ? S_IFDIR : S_IFREG);
  about.st_size = static_cast<off_t>(node.size);
  about.st_ino = number;
  return 0;
}

int CrashFiles::status(int descriptor, struct stat& about) {
  const Node& node = nodes_[opened_[static_cast<std::size_t>(descriptor)].number];
  about = {};
  about.st_mode = node.mode | (node.is_directory ? S_IFDIR : S_IFREG);
  about.st_size = static_cast<off_t>(node.size);
  return 0;
}

int CrashFiles::change_mode(int descriptor, mode_t mode) {
  nodes_[opened_[static_cast<std::size_t>(descriptor)].number].mode = mode;
  return 0;
}

int CrashFiles::change_owner(int, uid_t, gid_t) { return 0; }

// ---- what a crash leaves ----------------------------------------------------------------------------------------

void CrashFiles::flush_all() {
  ++flushes_;
  for (Node& node : nodes_) {
    node.bytes.flush();
    node.durable_size = node.size;
    node.sizes.clear();
    node.durable_names = node.names;
    node.changes.clear();
  }
}

/// Nodes that have a name on the disk, or may have one.
std::vector<bool> CrashFiles::reachable() const {
  std::vector<bool> reached(nodes_.size(), false);
  std::vector<Number> next{0};
  while (!next.empty()) {
    const Number number = next.back();
    next.pop_back();
    if (reached[number]) continue;
    reached[number] = true;
    for (const auto& [name, below] : nodes_[number].durable_names) next.push_back(below);
    for (const auto& change : nodes_[number].changes)
      if (!change.name.empty()) next.push_back(change.number);
  }
  return reached;
}

std::unique_ptr<CrashFiles> CrashFiles::durable() const {
  auto found = std::make_unique<CrashFiles>();
  found->nodes_ = nodes_;
  for (Node& node : found->nodes_) {
    node.bytes = node.bytes.durable();
    node.size = node.durable_size;
    node.names = node.durable_names;
    node.sizes.clear();
    node.changes.clear();
  }
  return found;
}

class CrashFiles::Moment final : public CrashMoment {
 public:
  Moment(const CrashFiles& files, const Check& check, std::uint64_t cell_bytes) : files_(files), check_(check) {
    const auto reached = files.reachable();
    for (Number number = 0; number < files.nodes_.size(); ++number)
      if (reached[number]) add_parts(number, cell_bytes);
  }
  [[nodiscard]] const std::vector<CrashUnit>& units() const override { return units_; }
  [[nodiscard]] std::string check(const CrashForms& forms) const override {
    const auto found = after(forms);
    return check_(*found);
  }

  /// Of what has a name, and of its contents up to its length.
  [[nodiscard]] std::uint64_t hash(const CrashForms& forms) const override {
    const auto found = after_names(forms);
    const auto named = found->reachable();
    std::uint64_t sum = 0;
    std::map<Number, std::uint64_t> sizes;
    for (std::size_t unit = 0; unit < parts_.size(); ++unit) {
      const Part& part = parts_[unit];
      if (!named[part.number]) continue;
      if (part.kind == Kind::Names) sum += mixed_hash(part.number, mixed_hash(1, forms[unit]));
      if (part.kind == Kind::Size) {
        sizes[part.number] = size_of(part, forms[unit]);
        sum += mixed_hash(part.number, mixed_hash(2, size_of(part, forms[unit])));
      }
      if (part.kind != Kind::Cell || forms[unit] == 0) continue;
      const auto size = sizes.find(part.number);
      if (part.cell.offset < (size == sizes.end() ? files_.nodes_[part.number].durable_size : size->second))
        sum += mixed_hash(part.number, part.hashes[forms[unit] - 1]);
    }
    return sum;
  }

 private:
  enum class Kind : std::uint8_t { Names, Size, Cell };
  struct Part {
    Number number;
    Kind kind;
    std::vector<std::uint64_t> sizes{};  ///< Size: the newer ones
    CrashVolume::Cell cell{};
    std::vector<std::uint64_t> hashes{};  ///< of its versions
  };

  void add_parts(Number number, std::uint64_t cell_bytes) {
    const Node& node = files_.nodes_[number];
    const std::string of = (node.is_directory ? "directory " : "file ") + std::to_string(number);
    if (!node.changes.empty()) {
      units_.push_back({static_cast<std::uint32_t>(node.changes.size()), "the names in " + of});
      parts_.push_back({number, Kind::Names});
    }
    if (auto sizes = newer_sizes(node, cell_bytes); !sizes.empty()) {
      units_.push_back({static_cast<std::uint32_t>(sizes.size()), "the length of " + of});
      parts_.push_back({number, Kind::Size, std::move(sizes)});
    }
    for (auto& cell : node.bytes.cells(cell_bytes)) {
      units_.push_back({static_cast<std::uint32_t>(cell.versions.size()),
                        "the bytes of " + of + " from " + std::to_string(cell.offset)});
      Part part{number, Kind::Cell, {}, std::move(cell)};
      for (std::size_t i = 0; i < part.cell.versions.size(); ++i) part.hashes.push_back(part.cell.hash(i));
      parts_.push_back(std::move(part));
    }
  }
  static std::vector<std::uint64_t> newer_sizes(const Node& node, std::uint64_t cell_bytes) {
    std::set<std::uint64_t> sizes(node.sizes.begin(), node.sizes.end());
    std::uint64_t before = node.durable_size;
    for (const std::uint64_t size : node.sizes) {
      for (std::uint64_t at = before / cell_bytes * cell_bytes + cell_bytes; at < size; at += cell_bytes)
        sizes.insert(at);
      before = size;
    }
    sizes.erase(node.durable_size);
    return {sizes.begin(), sizes.end()};
  }
  [[nodiscard]] std::uint64_t size_of(const Part& part, std::uint32_t form) const {
    return form == 0 ? files_.nodes_[part.number].durable_size : part.sizes[form - 1];
  }

  /// Only the names are as they will be.
  [[nodiscard]] std::unique_ptr<CrashFiles> after_names(const CrashForms& forms) const {
    auto found = files_.durable();
    for (std::size_t unit = 0; unit < parts_.size(); ++unit)
      if (const Part& part = parts_[unit]; part.kind == Kind::Names)
        for (std::size_t i = 0; i < forms[unit]; ++i)
          apply(found->nodes_[part.number].names, files_.nodes_[part.number].changes[i]);
    for (Node& node : found->nodes_) node.durable_names = node.names;
    return found;
  }
  [[nodiscard]] std::unique_ptr<CrashFiles> after(const CrashForms& forms) const {
    auto found = after_names(forms);
    for (std::size_t unit = 0; unit < parts_.size(); ++unit) {
      const Part& part = parts_[unit];
      Node& node = found->nodes_[part.number];
      if (part.kind == Kind::Size) node.size = size_of(part, forms[unit]);
      if (part.kind == Kind::Cell && forms[unit] != 0) {
        node.bytes.place(part.cell.offset, part.cell.versions[forms[unit] - 1]);
        hide(node, part.cell.offset + part.cell.old.size());
      }
    }
    for (Node& node : found->nodes_) node.durable_size = node.size;
    return found;
  }
  /// What lies behind the end is zero when the file grows over it.
  static void hide(Node& node, std::uint64_t end) {
    if (end > node.size) node.bytes.place(node.size, Bytes(end - node.size, 0));
  }

  const CrashFiles& files_;
  const Check& check_;
  std::vector<CrashUnit> units_;
  std::vector<Part> parts_;
};

void CrashFiles::watch(Explorer& explorer, Check check) {
  explorer_ = &explorer;
  check_ = std::move(check);
  changed = [this](const std::string& what) { power_may_fail(what); };
}

void CrashFiles::power_may_fail(const std::string& what) {
  explorer_->point(what, flushes_,
                   [&](std::uint64_t cell_bytes) { return std::make_unique<Moment>(*this, check_, cell_bytes); });
}

void CrashFiles::promise(const std::string& what) {
  explorer_->note("promised: " + what);
  power_may_fail("(nothing is written)");
}

}  // namespace bascule::sim
