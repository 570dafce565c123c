#pragma once

#include <vector>

#include "wire/cluster_config/config.h"
#include "wire/cluster_config/detail/section.h"

namespace bascule::config::detail {

/// Names become parts of file names and of lease slots.
inline constexpr std::size_t name_length_max = 40;

/// Where the parts of a configuration were written, for mistakes that only show when all is read.
struct Places {
  Place cluster;
  std::vector<Place> nodes;     ///< like ClusterConfig::nodes
  std::vector<Place> volumes;   ///< like ClusterConfig::volumes
  std::vector<Place> services;  ///< like ClusterConfig::services
};

/// The `index`-th [volume.NAME]. `have_keys`: the cluster has a key file.
[[nodiscard]] Volume read_volume(const Section::Named& named, std::size_t index, const std::vector<Node>& nodes,
                                 bool have_keys, Findings& findings);

/// One [service.NAME].
[[nodiscard]] Service read_service(const Section::Named& named, Findings& findings);

/// One [fence.NAME], and whether the nodes that it names are there.
[[nodiscard]] FenceDevice read_fence(const Section::Named& named, Findings& findings);
void check_fence(const FenceDevice& device, const std::vector<Node>& nodes, const Place& place, Findings& findings);

/// `copies`, `without_quorum`, `promotable`. `copy` is only half filled in until expand_copies().
void read_copies(const Section& section, Service& service);
/// `after`, `with`, `apart`.
void read_relations(const Section& section, Service& service);
/// Unknown names, and circles.
void check_relations(const ClusterConfig& config, const Places& places, Findings& findings);
/// Each service with copies becomes one service per copy, and the Promoted role one more.
void expand_copies(ClusterConfig& config, const Places& places, Findings& findings);

/// What single tables cannot know: votes, names that refer to each other, addresses and disks used twice.
void check_together(const ClusterConfig& config, const Places& places, Findings& findings);

}  // namespace bascule::config::detail
