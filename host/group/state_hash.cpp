#include "host/group/state_hash.hpp"

#include <memory>
#include <xxhash.h>

namespace quorate::group {
namespace {

class HashSink final : public machine::ByteSink {
 public:
    HashSink() : state_(XXH3_createState(), XXH3_freeState) { XXH3_128bits_reset(state_.get()); }
    Result<void> write(ByteView bytes) override {
        XXH3_128bits_update(state_.get(), bytes.data(), bytes.size());
        return {};
    }
    std::string text() const {
        XXH128_canonical_t canonical;
        XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(state_.get()));
        std::string hex;
        for (unsigned char byte : canonical.digest) {
            constexpr char digits[] = "0123456789abcdef";
            hex += {digits[byte >> 4], digits[byte & 15]};
        }
        return hex;
    }

 private:
    std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state_;
};

}  // namespace

Result<std::string> state_hash(const machine::View& view, const std::atomic<bool>& cancel) {
    HashSink sink;
    TRY_VOID(view.save(sink, cancel));
    return sink.text();
}

}  // namespace quorate::group
