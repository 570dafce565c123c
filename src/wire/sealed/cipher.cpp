// AES-256-GCM by OpenSSL, with the number of the datagram as the nonce.
#include "wire/sealed/detail/cipher.h"

#include <array>

#include "base/assert.h"

namespace bascule::sealed::detail {
namespace {

using Nonce = std::array<Byte, 12>;

Nonce nonce_of(std::uint64_t number) {
  Nonce nonce{};
  put_big<std::uint64_t>(nonce, 4, number);
  return nonce;
}

int size_of(ByteView bytes) { return static_cast<int>(bytes.size()); }

}  // namespace

Cipher::Cipher(const Secret& key) : encrypting_(EVP_CIPHER_CTX_new()), decrypting_(EVP_CIPHER_CTX_new()) {
  BASCULE_ASSERT(encrypting_ && decrypting_);
  BASCULE_ASSERT(EVP_EncryptInit_ex(encrypting_.get(), EVP_aes_256_gcm(), nullptr, key.data(), nullptr) == 1);
  BASCULE_ASSERT(EVP_DecryptInit_ex(decrypting_.get(), EVP_aes_256_gcm(), nullptr, key.data(), nullptr) == 1);
}

void Cipher::encrypt(std::uint64_t number, ByteView header, ByteView plain, Bytes& out) {
  const Nonce nonce = nonce_of(number);
  const std::size_t at = out.size();
  out.resize(at + plain.size() + tag_bytes);
  EVP_CIPHER_CTX* context = encrypting_.get();
  int done = 0;
  BASCULE_ASSERT(EVP_EncryptInit_ex(context, nullptr, nullptr, nullptr, nonce.data()) == 1);
  BASCULE_ASSERT(EVP_EncryptUpdate(context, nullptr, &done, header.data(), size_of(header)) == 1);
  BASCULE_ASSERT(EVP_EncryptUpdate(context, out.data() + at, &done, plain.data(), size_of(plain)) == 1);
  BASCULE_ASSERT(EVP_EncryptFinal_ex(context, out.data() + at + done, &done) == 1);
  BASCULE_ASSERT(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, tag_bytes, out.data() + at + plain.size()) == 1);
}

bool Cipher::decrypt(std::uint64_t number, ByteView header, ByteView encrypted, Bytes& plain) {
  if (encrypted.size() < tag_bytes) return false;
  const Nonce nonce = nonce_of(number);
  const ByteView text = encrypted.first(encrypted.size() - tag_bytes);
  std::array<Byte, tag_bytes> tag{};
  std::copy(encrypted.end() - tag_bytes, encrypted.end(), tag.begin());
  plain.resize(text.size());
  EVP_CIPHER_CTX* context = decrypting_.get();
  int done = 0;
  return EVP_DecryptInit_ex(context, nullptr, nullptr, nullptr, nonce.data()) == 1 &&
         EVP_DecryptUpdate(context, nullptr, &done, header.data(), size_of(header)) == 1 &&
         EVP_DecryptUpdate(context, plain.data(), &done, text.data(), size_of(text)) == 1 &&
         EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, tag_bytes, tag.data()) == 1 &&
         EVP_DecryptFinal_ex(context, plain.data() + done, &done) == 1;
}

}  // namespace bascule::sealed::detail
