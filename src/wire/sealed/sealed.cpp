// Sealing and opening of datagrams: the header, the sessions, and what was seen of each.
#include "wire/sealed/sealed.h"

#include <algorithm>
#include <optional>

#include "base/assert.h"
#include "wire/sealed/detail/cipher.h"

namespace bascule::sealed {
namespace {

constexpr std::uint32_t magic = 0x42534332;  // "BSC2"
constexpr Byte version = 1;
constexpr std::size_t header_bytes = overhead_bytes - detail::tag_bytes;

struct Header {
  std::uint32_t key_id = 0;
  std::uint32_t sender = 0;
  Salt salt{};
  std::uint64_t number = 0;
};

void put(const Header& header, Bytes& out) {
  ByteWriter(out)
      .big(magic)
      .big(version)
      .zeros(3)
      .big(header.key_id)
      .big(header.sender)
      .bytes(header.salt)
      .big(header.number);
}

std::optional<Header> header_of(ByteView datagram) {
  ByteReader reader(datagram);
  if (reader.big<std::uint32_t>() != magic || reader.big<Byte>() != version) return std::nullopt;
  reader.skip(3);
  Header header;
  header.key_id = reader.big<std::uint32_t>();
  header.sender = reader.big<std::uint32_t>();
  const ByteView salt = reader.take(header.salt.size());
  header.number = reader.big<std::uint64_t>();
  if (!reader.ok() || reader.remaining() < detail::tag_bytes) return std::nullopt;
  std::copy(salt.begin(), salt.end(), header.salt.begin());
  return header;
}

detail::Cipher cipher_for(const Key& key, const std::string& cluster, std::uint32_t sender, const Salt& salt) {
  return detail::Cipher(derived(key.secret, salt, "bascule datagram " + std::to_string(sender) + " " + cluster));
}

}  // namespace

const char* name_of(Refusal refusal) {
  switch (refusal) {
    case Refusal::NotSealed:
      return "not sealed";
    case Refusal::UnknownKey:
      return "sealed with a key that this node does not have";
    case Refusal::Forged:
      return "forged, damaged, or of another cluster";
  }
  return "";
}

Sealer::Sealer(std::string cluster, std::uint32_t sender, const Salt& salt)
    : cluster_(std::move(cluster)), sender_(sender), salt_(salt) {}
Sealer::~Sealer() = default;
Sealer::Sealer(Sealer&&) noexcept = default;
Sealer& Sealer::operator=(Sealer&&) noexcept = default;

Bytes Sealer::seal(const Key& key, ByteView plain) {
  if (key_id_ != key.id) {
    cipher_ = std::make_unique<detail::Cipher>(cipher_for(key, cluster_, sender_, salt_));
    key_id_ = key.id;
  }
  Bytes out;
  out.reserve(plain.size() + overhead_bytes);
  put({key.id, sender_, salt_, ++number_}, out);
  const Bytes header = out;
  cipher_->encrypt(number_, header, plain, out);
  return out;
}

struct Opener::Session {
  std::uint32_t sender = 0;
  std::uint32_t key_id = 0;
  Salt salt{};
  detail::Cipher cipher;
  ReplayWindow window;
};

Opener::Opener(std::string cluster) : cluster_(std::move(cluster)) {}
Opener::~Opener() = default;
Opener::Opener(Opener&&) noexcept = default;
Opener& Opener::operator=(Opener&&) noexcept = default;

Opener::Sessions::iterator Opener::known(std::uint32_t sender, std::uint32_t key_id, const Salt& salt) {
  return std::find_if(sessions_.begin(), sessions_.end(), [&](const Session& session) {
    return session.sender == sender && session.key_id == key_id && session.salt == salt;
  });
}

/// Only what proved itself comes here: so strangers cannot push anybody out.
void Opener::admit(Session&& session) {
  const std::uint32_t sender = session.sender;
  sessions_.push_front(std::move(session));
  std::size_t of_sender = 0;
  for (auto each = sessions_.begin(); each != sessions_.end();) {
    const bool surplus = each->sender == sender && ++of_sender > sessions_per_sender;
    each = surplus ? sessions_.erase(each) : std::next(each);
  }
  if (sessions_.size() > sessions_max) sessions_.pop_back();
}

tl::expected<Opened, Refusal> Opener::open(const Keyring& keyring, ByteView datagram) {
  const auto header = header_of(datagram);
  if (!header) return tl::unexpected(Refusal::NotSealed);
  const Key* key = keyring.find(header->key_id);
  if (key == nullptr) return tl::unexpected(Refusal::UnknownKey);
  const auto [key_id, sender, salt, number] = *header;
  Opened opened{sender, salt, number, Freshness::Fresh, {}};
  auto session = known(sender, key_id, salt);
  std::optional<Session> fresh;
  if (session == sessions_.end()) fresh = Session{sender, key_id, salt, cipher_for(*key, cluster_, sender, salt), {}};
  Session& judge = fresh ? *fresh : *session;
  if (!judge.cipher.decrypt(number, datagram.first(header_bytes), datagram.subspan(header_bytes), opened.plain))
    return tl::unexpected(Refusal::Forged);
  opened.freshness = judge.window.look(number);
  judge.window.remember(number);
  if (opened.freshness != Freshness::Fresh) opened.plain.clear();
  if (fresh)
    admit(std::move(*fresh));
  else
    sessions_.splice(sessions_.begin(), sessions_, session);
  return opened;
}

}  // namespace bascule::sealed
