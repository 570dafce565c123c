#include <fmt/format.h>

#include "base/digest.h"
#include "wire/drbd_config/option_table.h"

namespace bascule::drbd_config {
namespace {

constexpr const char* digests = "known: crc32c, md5, sha1, sha256, sha384, sha512";

tl::unexpected<Error> refuse(const char* where, std::string why, std::string hint) {
  return fail("the options do not fit together", where, std::move(why), std::move(hint));
}

/// DRBD refuses to connect when the kernel does not have the algorithm; the set here is ours.
Result<void> check_digest(const char* where, const std::string& name) {
  if (digest_named(name)) return {};
  return refuse(where, fmt::format("'{}' is not a known digest", name), digests);
}

Result<void> check_digests(const Net& net) {
  for (const auto& [where, name] :
       {std::pair{"net.data-integrity-alg", &net.data_integrity_alg}, std::pair{"net.verify-alg", &net.verify_alg},
        std::pair{"net.csums-alg", &net.csums_alg}})
    if (const auto known = check_digest(where, *name); !known) return known;
  const auto keyed = digest_named(net.cram_hmac_alg);
  if (!keyed || *keyed == Digest::crc32c)
    return refuse("net.cram-hmac-alg", fmt::format("'{}' cannot authenticate a peer", net.cram_hmac_alg),
                  "known: md5, sha1, sha256, sha384, sha512");
  if (*keyed != Digest::none && net.shared_secret.empty())
    return refuse("net.cram-hmac-alg", "there is no shared-secret to authenticate with", "set shared-secret as well");
  return {};
}

/// drbd.conf(5): the timeout must be lower than connect-int and ping-int.
Result<void> check_times(const Net& net) {
  if (net.timeout_ds >= net.ping_int_s * 10)
    return refuse("net.timeout", fmt::format("{} tenths of a second are not less than ping-int", net.timeout_ds),
                  fmt::format("ping-int is {} s: lower timeout or raise ping-int", net.ping_int_s));
  if (net.timeout_ds >= net.connect_int_s * 10)
    return refuse("net.timeout", fmt::format("{} tenths of a second are not less than connect-int", net.timeout_ds),
                  fmt::format("connect-int is {} s: lower timeout or raise connect-int", net.connect_int_s));
  return {};
}

/// What DRBD refuses at connect and attach (ERR_NOT_PROTO_C, ERR_CONG_NOT_PROTO_A, ERR_STONITH_AND_PROT_A).
Result<void> check_protocol(const Options& options) {
  const Net& net = options.net;
  if (net.allow_two_primaries && net.protocol != Protocol::C)
    return refuse("net.allow-two-primaries", "two primaries need protocol C", "write protocol C");
  if (net.on_congestion != OnCongestion::block && net.protocol != Protocol::A)
    return refuse("net.on-congestion", "only protocol A can run ahead of its peer or leave it when the link is full",
                  "write on-congestion block, or protocol A");
  if (options.disk.fencing == Fencing::resource_and_stonith && net.protocol == Protocol::A)
    return refuse("disk.fencing", "resource-and-stonith does not go with protocol A",
                  "an acknowledged write may be missing on the peer that survives; use protocol B or C");
  return {};
}

}  // namespace

Result<void> check(const Options& options) {
  if (const auto result = check_protocol(options); !result) return result;
  if (const auto result = check_times(options.net); !result) return result;
  return check_digests(options.net);
}

}  // namespace bascule::drbd_config
