#include "storage/memory_store.hpp"
#include "tests/storage/disk_fixture.hpp"
#include "tests/storage/log_store_contract.hpp"
#include "tests/storage/stepped_fixture.hpp"

namespace quorate::storage {
namespace {

class MemoryUnderTest final : public LogStoreUnderTest {
 public:
    LogStore& store() override { return memory; }
    void reopen() override { memory.crash(); }
    bool drive() override { return false; }

    MemoryStore memory;
};

INSTANTIATE_TEST_SUITE_P(
    Engines, LogStoreContract,
    ::testing::Values(LogStoreKind{"memory", [] { return std::make_unique<MemoryUnderTest>(); }},
                      LogStoreKind{"stepped", [] { return std::make_unique<SteppedUnderTest>(); }},
                      LogStoreKind{"disk", [] { return std::make_unique<DiskUnderTest>(); }}),
    [](const auto& kind) { return kind.param.name; });

}  // namespace
}  // namespace quorate::storage
