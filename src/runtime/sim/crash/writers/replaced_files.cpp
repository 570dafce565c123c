// Files that are replaced whole: the agreed configuration, the cluster's keys, the sizes that a disk has had.

#include <fcntl.h>

#include <utility>

#include "runtime/block_host/known_sizes.h"
#include "runtime/files/read_file.h"
#include "runtime/keys/key_file.h"
#include "runtime/manager_host/kept_files.h"
#include "runtime/sim/crash/files.h"
#include "runtime/sim/crash/writers/all.h"

namespace bascule::sim {
namespace {

constexpr std::size_t most_bytes = 1 << 20;
constexpr const char* unreadable = "it cannot be read";

std::string text_in(CrashFiles& disk, const std::string& path) {
  return files::read_file(path, unreadable, most_bytes, disk).value_or("(no file)");
}

/// A text that is told from others at its ends.
std::string text_of_length(std::size_t length, unsigned number) {
  const std::string name = "version " + std::to_string(number) + "\n";
  std::string text = name;
  while (text.size() + name.size() < length) text += static_cast<char>('a' + text.size() % 23);
  return text + name;
}

/// A canary for each way to forget something.
std::function<bool(const std::string&)> forgetting(const std::string& canary, const std::string& directory) {
  if (canary == "file-not-synced") return [](const std::string& path) { return path.ends_with(".new"); };
  if (canary == "name-not-synced") return [directory](const std::string& path) { return path == directory; };
  return nullptr;
}

// ---- the configuration ------------------------------------------------------------------------------------------

constexpr const char* toml = "/etc/bascule/cluster.toml";

class Configuration final : public CrashSubject {
 public:
  Configuration(Explorer& explorer, const std::string& canary) {
    (void)files::make_directories(disk_, files::directory_of(toml), 0755);
    edit(text_of_length(300, 0));
    agreed_ = edited_;
    disk_.forgets_sync = forgetting(canary, files::directory_of(toml));
    disk_.watch(explorer, [this](CrashFiles& found) { return fault_of(found); });
  }
  bool perform(std::size_t operation) override {
    constexpr std::size_t lengths[]{40, 900, 9000};
    if (operation == 3) {  // somebody edits the file and does not apply it
      if (edited_ != agreed_) return false;
      edit(text_of_length(500, ++number_));
      return true;
    }
    coming_ = text_of_length(lengths[operation], ++number_);
    manager_host::keep_configuration(toml, agreed_, coming_, disk_);
    if (edited_ != agreed_) not_applied_ = edited_;
    agreed_ = edited_ = coming_;
    disk_.promise("version " + std::to_string(number_));
    return true;
  }

 private:
  /// Whole, as by an editor that is not ours to judge.
  void edit(const std::string& text) {
    const auto watched = std::exchange(disk_.changed, nullptr);
    const files::Descriptor file(disk_, disk_.open(toml, O_CREAT | O_TRUNC | O_WRONLY, 0644));
    (void)files::write_all(file, 0, view_of(text));
    disk_.flush_all();
    disk_.changed = watched;
    edited_ = text;
  }
  std::string fault_of(CrashFiles& found) const {
    const std::string text = text_in(found, toml), aside = text_in(found, std::string(toml) + ".not-applied");
    if (text != edited_ && text != coming_) return "the configuration is neither the old nor the new one";
    if (edited_ != agreed_ && text != edited_ && aside != edited_) return "what somebody edited is lost";
    if (!not_applied_.empty() && aside != not_applied_ && aside != edited_) return "what was put aside is lost";
    manager_host::keep_configuration(toml, agreed_, coming_, found);
    return coming_.empty() || text_in(*found.durable(), toml) == coming_ ? "" : "it cannot be replaced any more";
  }

  CrashFiles disk_;
  std::string agreed_, edited_, coming_, not_applied_;
  unsigned number_ = 0;
};

// ---- the keys ---------------------------------------------------------------------------------------------------

constexpr const char* key_file = "/etc/bascule/cluster.key";

class Keys final : public CrashSubject {
 public:
  Keys(Explorer& explorer, const std::string& canary) {
    (void)files::make_directories(disk_, files::directory_of(key_file), 0755);
    disk_.flush_all();
    disk_.forgets_sync = forgetting(canary, files::directory_of(key_file));
    disk_.watch(explorer, [this](CrashFiles& found) { return fault_of(found); });
  }
  bool perform(std::size_t operation) override {
    const bool creates = operation == 0;
    if (creates != present_.empty()) return false;
    sealed::Keyring ring = creates ? sealed::Keyring(key(1)) : *sealed::Keyring::parse(present_, key_file);
    if (operation == 1 && !ring.accept(key(++number_))) return false;
    coming_ = ring.text();
    if (!keys::write(key_file, ring, creates ? keys::Existing::Refuse : keys::Existing::Replace, disk_)) return false;
    present_ = coming_;
    disk_.promise(std::to_string(number_) + " keys");
    return true;
  }

 private:
  static sealed::Key key(std::uint32_t id) {
    sealed::Key key{id, {}};
    key.secret.fill(static_cast<Byte>(id));
    return key;
  }
  std::string fault_of(CrashFiles& found) const {
    const auto read = keys::read(key_file, found);
    const std::string text = read ? read->text() : "";
    if (text != present_ && text != coming_) return "the keys are neither the old nor the new ones";
    const auto existing = read ? keys::Existing::Replace : keys::Existing::Refuse;
    if (!keys::write(key_file, *sealed::Keyring::parse(coming_, key_file), existing, found))
      return "they cannot be written any more";
    return "";
  }

  CrashFiles disk_;
  std::string present_, coming_;
  std::uint32_t number_ = 1;
};

// ---- the sizes of a disk ----------------------------------------------------------------------------------------

constexpr const char* sizes_file = "/var/lib/bascule/disk-sizes.data.alice";

class Sizes final : public CrashSubject {
 public:
  Sizes(Explorer& explorer, const std::string& canary) {
    disk_.forgets_sync = forgetting(canary, files::directory_of(sizes_file));
    disk_.watch(explorer, [this](CrashFiles& found) { return fault_of(found); });
  }
  bool perform(std::size_t operation) override {
    coming_ = present_;
    if (operation == 0) coming_.push_back((64ULL << 30) + (++number_ << 20));
    if (operation == 1 && present_.empty()) return false;
    if (operation == 1) coming_ = {present_.back()};
    const block_host::KnownSizes known(sizes_file, disk_);
    if (!(operation == 0 ? known.add(coming_.back()) : known.keep_only(coming_.back()))) return false;
    present_ = coming_;
    disk_.promise(std::to_string(present_.size()) + " sizes");
    return true;
  }

 private:
  std::string fault_of(CrashFiles& found) const {
    const block_host::KnownSizes known(sizes_file, found);
    if (known.read() != present_ && known.read() != coming_) return "the sizes are neither the old nor the new ones";
    return known.add(1) ? "" : "none can be added any more";
  }

  CrashFiles disk_;
  std::vector<std::uint64_t> present_, coming_;
  std::uint64_t number_ = 0;
};

template <typename Subject>
std::unique_ptr<CrashSubject> make_subject(Explorer& explorer, const std::string& canary) {
  return std::make_unique<Subject>(explorer, canary);
}

}  // namespace

CrashWriter configuration_writer() {
  return {"configuration",
          "cluster.toml is the old or the new one; what somebody edited and did not apply is kept",
          {"agree on a short text", "on one longer than a sector", "on one longer than a page", "edit it, not applied"},
          3,
          make_subject<Configuration>};
}
CrashWriter keys_writer() {
  return {"keys",
          "the key file is the old or the new one, and can be replaced",
          {"create", "add a key", "write the same again"},
          3,
          make_subject<Keys>};
}
CrashWriter known_sizes_writer() {
  return {"known-sizes",
          "the sizes that a disk has had are those before or those after",
          {"note a size", "keep the last one only"},
          3,
          make_subject<Sizes>};
}

}  // namespace bascule::sim
