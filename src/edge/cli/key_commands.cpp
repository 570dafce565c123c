// The cluster's key file: made, shown, and changed one safe step at a time.
#include "edge/cli/key_commands.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "runtime/keys/key_file.h"

namespace bascule::cli {
namespace {

using nlohmann::json;

constexpr const char* then_everywhere =
    "Copy the file to the other nodes (mode 0600) and reload bascule-managerd on each.";

json answer(const KeyRequest& request, const sealed::Keyring& keyring, const std::string& text) {
  json numbers = json::array();
  for (const auto& key : keyring.keys()) numbers.push_back(key.id);
  return {{"ok", true}, {"file", request.file}, {"keys", numbers}, {"sending", keyring.sending().id}, {"text", text}};
}

Result<json> create(const KeyRequest& request) {
  const auto key = keys::fresh_key(1);
  if (!key) return tl::unexpected(key.error());
  const sealed::Keyring keyring(*key);
  if (auto written = keys::write(request.file, keyring, keys::Existing::Refuse); !written)
    return tl::unexpected(written.error());
  return answer(request, keyring,
                fmt::format("{} has key 1, which only its owner can read. Copy it to the other nodes (mode 0600).\n",
                            request.file));
}

json list(const KeyRequest& request, const sealed::Keyring& keyring) {
  std::string text;
  for (const auto& key : keyring.keys())
    text += fmt::format("key {}{}\n", key.id, key.id == keyring.sending().id ? "  in use" : "  accepted");
  return answer(request, keyring, text);
}

/// What becomes of the keys, and what is to be done next.
Result<std::string> change(const KeyRequest& request, sealed::Keyring& keyring) {
  if (request.action == "use") {
    if (auto used = keyring.send_with(request.id); !used) return tl::unexpected(used.error());
    return fmt::format("Key {} is used from now on. {}\nWhen that is done, `bascule key drop` ends the old one.\n",
                       request.id, then_everywhere);
  }
  if (request.action == "drop") {
    if (keyring.find(request.id) == nullptr)
      return fail("the key is not dropped", request.file, fmt::format("there is no key {} in it", request.id));
    if (auto dropped = keyring.drop(request.id); !dropped) return tl::unexpected(dropped.error());
    return fmt::format("Key {} is not accepted any more. {}\n", request.id, then_everywhere);
  }
  const auto key = keys::fresh_key(keyring.next_id());
  if (!key) return tl::unexpected(key.error());
  if (auto accepted = keyring.accept(*key); !accepted) return tl::unexpected(accepted.error());
  return fmt::format("Key {} is accepted beside the one in use. {}\nOnly then: bascule key use {}\n", key->id,
                     then_everywhere, key->id);
}

}  // namespace

Result<json> run_key(const KeyRequest& request) {
  if (request.action == "create") return create(request);
  auto keyring = keys::read(request.file);
  if (!keyring) return tl::unexpected(keyring.error());
  if (request.action == "list") return list(request, *keyring);
  const auto told = change(request, *keyring);
  if (!told) return tl::unexpected(told.error());
  if (auto written = keys::write(request.file, *keyring, keys::Existing::Replace); !written)
    return tl::unexpected(written.error());
  return answer(request, *keyring, *told);
}

}  // namespace bascule::cli
