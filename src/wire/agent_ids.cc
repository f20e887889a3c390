#include "wire/agent_ids.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <algorithm>
#include <cstring>

#include "base/assert.h"

namespace hearth::wire {

void AgentIds::Free::operator()(evp_mac_ctx_st* context) const {
  EVP_MAC_CTX_free(context);
}

AgentIds::AgentIds(std::string_view unique_key) {
  std::array<std::uint8_t, SHA256_DIGEST_LENGTH> key;
  SHA256(reinterpret_cast<const unsigned char*>(unique_key.data()), unique_key.size(), key.data());
  EVP_MAC* hmac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  ASSERT(hmac != nullptr, "OpenSSL has no HMAC");
  context_.reset(EVP_MAC_CTX_new(hmac));
  EVP_MAC_free(hmac);
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_end()};
  ASSERT(context_ && EVP_MAC_init(context_.get(), key.data(), key.size(), parameters) == 1,
         "OpenSSL refused an HMAC key");
}

AgentIds::~AgentIds() = default;
AgentIds::AgentIds(AgentIds&&) noexcept = default;
AgentIds& AgentIds::operator=(AgentIds&&) noexcept = default;

AgentIds::Digest AgentIds::mac(const void* data, std::size_t size) {
  Digest digest;
  std::size_t length = 0;
  // Starting without a key keeps the one that was given at construction.
  const bool made =
      EVP_MAC_init(context_.get(), nullptr, 0, nullptr) == 1 &&
      EVP_MAC_update(context_.get(), static_cast<const unsigned char*>(data), size) == 1 &&
      EVP_MAC_final(context_.get(), digest.data(), &length, digest.size()) == 1;
  ASSERT(made && length == digest.size(), "OpenSSL could not make an HMAC");
  return digest;
}

AgentIdBytes AgentIds::sign(std::span<const std::uint8_t, 16> first_half) {
  AgentIdBytes id;
  std::copy(first_half.begin(), first_half.end(), id.begin());
  const Digest signature = mac(first_half.data(), first_half.size());
  std::copy_n(signature.begin(), 16, id.begin() + 16);
  return id;
}

AgentIdBytes AgentIds::from_name(std::string_view name) {
  const Digest digest = mac(name.data(), name.size());
  return sign(std::span(digest).first<16>());
}

AgentIdBytes AgentIds::from_random(std::span<const std::uint8_t, 16> random) {
  return sign(random);
}

AgentIdBytes AgentIds::unique() {
  std::array<std::uint8_t, 16> random;
  ASSERT(RAND_bytes(random.data(), random.size()) == 1, "OpenSSL has no randomness");
  return sign(random);
}

bool AgentIds::belongs(const AgentIdBytes& id) {
  return sign(std::span(id).first<16>()) == id;
}

std::optional<AgentIdBytes> parse_agent_id(std::string_view hex) {
  AgentIdBytes id;
  if (hex.size() != 2 * id.size()) return std::nullopt;
  auto digit = [](char c) -> int {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
  };
  for (std::size_t i = 0; i < id.size(); ++i) {
    const int high = digit(hex[2 * i]);
    const int low = digit(hex[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    id[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  return id;
}

unsigned owning_slot(const AgentIdBytes& id, unsigned host_count) {
  std::uint64_t head;
  std::memcpy(&head, id.data(), sizeof head);
  return static_cast<unsigned>(head % host_count);
}

}  // namespace hearth::wire
