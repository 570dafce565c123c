#include "wire/raft/types.h"

namespace bascule::raft {
namespace {

bool strictly_ascending(const std::vector<ServerId>& ids) {
  return std::adjacent_find(ids.begin(), ids.end(), std::greater_equal<>{}) == ids.end();
}

void write_ids(ByteWriter& writer, const std::vector<ServerId>& ids) {
  writer.big(static_cast<std::uint8_t>(ids.size()));
  for (const ServerId id : ids) writer.big(id);
}

std::vector<ServerId> read_ids(ByteReader& reader) {
  std::vector<ServerId> ids(reader.big<std::uint8_t>());
  for (auto& id : ids) id = reader.big<ServerId>();
  return ids;
}

}  // namespace

bool is_well_formed(const Configuration& configuration) {
  const auto& [voters, learners] = configuration;
  if (voters.size() + learners.size() > members_max) return false;
  if (!strictly_ascending(voters) || !strictly_ascending(learners)) return false;
  if (configuration.is_member(0)) return false;
  return std::none_of(learners.begin(), learners.end(), [&](ServerId id) { return configuration.is_voter(id); });
}

Bytes encode(const Configuration& configuration) {
  BASCULE_ASSERT(is_well_formed(configuration));
  Bytes bytes;
  ByteWriter writer(bytes);
  write_ids(writer, configuration.voters);
  write_ids(writer, configuration.learners);
  return bytes;
}

std::optional<Configuration> decode_configuration(ByteView bytes) {
  ByteReader reader(bytes);
  Configuration configuration;
  configuration.voters = read_ids(reader);
  configuration.learners = read_ids(reader);
  if (!reader.ok_and_done() || !is_well_formed(configuration)) return std::nullopt;
  return configuration;
}

}  // namespace bascule::raft
