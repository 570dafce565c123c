#include "runtime/doctor/probe.h"

#include <dirent.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>

#include "base/digest.h"
#include "runtime/doctor/detail/probes.h"
#include "runtime/files/read_file.h"
#include "runtime/keys/key_file.h"

namespace bascule::doctor {
namespace {

constexpr std::size_t fingerprint_bytes = 6;

std::string fingerprint(ByteView data) {
  std::string text;
  const auto digest = digest_of(Digest::sha256, data);  // outlives the view of it
  for (const Byte byte : ByteView(digest).first(fingerprint_bytes)) text += fmt::format("{:02x}", byte);
  return text;
}

void probe_config(const Options& options, Facts& facts) {
  facts.node = options.node;
  facts.config_file = options.config_file;
  const auto text = files::read_file(options.config_file, "it cannot be read");
  if (!text) {
    facts.config_error = text.error().text();
    return;
  }
  facts.config_fingerprint = fingerprint(view_of(*text));
  if (auto parsed = config::parse(*text, options.config_file))
    facts.config = std::move(*parsed);
  else
    facts.config_error = parsed.error().text();
}

/// Of a key's purpose of its own, so that it says nothing about the key.
void probe_key(Facts& facts) {
  if (!facts.config || !facts.config->key_file) return;
  KeyFacts key;
  key.path = *facts.config->key_file;
  if (const auto ring = keys::read(key.path)) {
    key.sending = ring->sending().id;
    for (const auto& one : ring->keys())
      key.fingerprints.emplace_back(one.id, fingerprint(sealed::derived(one.secret, {}, "fingerprint for people")));
  } else {
    key.unusable = ring.error().why;
  }
  facts.key = std::move(key);
}

}  // namespace

namespace detail {

Descriptor::~Descriptor() {
  if (number_ >= 0) ::close(number_);
}

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::vector<std::string> names_in(const std::string& path) {
  std::vector<std::string> names;
  DIR* directory = ::opendir(path.c_str());
  if (directory == nullptr) return names;
  while (const dirent* entry = ::readdir(directory))
    if (std::strcmp(entry->d_name, ".") != 0 && std::strcmp(entry->d_name, "..") != 0)
      names.emplace_back(entry->d_name);
  ::closedir(directory);
  std::sort(names.begin(), names.end());
  return names;
}

bool answers(const std::string& socket) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket.size() >= sizeof(address.sun_path)) return false;
  std::memcpy(address.sun_path, socket.c_str(), socket.size());
  const Descriptor descriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return ::connect(descriptor.number(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

}  // namespace detail

Facts probe(const Options& options) {
  Facts facts;
  probe_config(options, facts);
  probe_key(facts);
  facts.manager_runs = detail::answers(options.run_dir + "/manager.sock");
  detail::probe_machine(options, facts);
  if (facts.config && facts.config->node(facts.node) != nullptr) {
    detail::probe_network(options, facts);
    detail::probe_services(facts);
  }
  detail::probe_storage(options, facts);
  return facts;
}

}  // namespace bascule::doctor
