#include "wire/agent_ids.h"

#include <gtest/gtest.h>

#include "base/ids.h"

namespace hearth::wire {
namespace {

std::string hex(const AgentIdBytes& bytes) {
  return AgentId{0, bytes}.hex();
}

// The expected ids were printed by workerd 1.20260426 for a namespace of this unique key.
TEST(AgentIds, AreThoseOfWorkerdForTheSameUniqueKey) {
  AgentIds ids("my-worker-CoderAgent");
  EXPECT_EQ(hex(ids.from_name("default")),
            "39fa80b6a3f7bdf47182fde1521ba91a1fec899eb9f92b3810fbf419667839af");
  EXPECT_EQ(hex(ids.from_name("")),
            "870f9e94ae73d2437c26cee1b2646029c489f43bbf98470b29ef7423e7253e2e");
  EXPECT_EQ(hex(ids.from_name("Zo\xc3\xab/1")),
            "40fe898f760fa50e511c742c74482abf64999dd771401032b573ab624495bbba");
  EXPECT_EQ(hex(ids.from_name("default")),
            "39fa80b6a3f7bdf47182fde1521ba91a1fec899eb9f92b3810fbf419667839af");
}

TEST(AgentIds, OfAnotherNamespaceAreTold) {
  AgentIds ids("my-worker-CoderAgent");
  AgentIds others("my-worker-Other");
  EXPECT_TRUE(ids.belongs(ids.from_name("default")));
  EXPECT_TRUE(ids.belongs(ids.unique()));
  EXPECT_FALSE(ids.belongs(others.from_name("default")));
  AgentIdBytes altered = ids.unique();
  altered[31] ^= 1;
  EXPECT_FALSE(ids.belongs(altered));
  EXPECT_NE(ids.unique(), ids.unique());
}

TEST(AgentIds, ParseTheirOwnHexAndNothingElse) {
  AgentIds ids("k");
  const AgentIdBytes id = ids.from_name("n");
  EXPECT_EQ(parse_agent_id(hex(id)), id);
  EXPECT_FALSE(parse_agent_id(hex(id).substr(1)));
  EXPECT_FALSE(parse_agent_id(hex(id) + "0"));
  std::string wrong = hex(id);
  wrong[5] = 'g';
  EXPECT_FALSE(parse_agent_id(wrong));
}

TEST(AgentIds, AreOwnedByTheSlotOfTheirFirstEightBytes) {
  AgentIdBytes id{};
  id[0] = 5;
  id[1] = 1;
  EXPECT_EQ(owning_slot(id, 1), 0u);
  EXPECT_EQ(owning_slot(id, 4), 261u % 4);
}

}  // namespace
}  // namespace hearth::wire
