// Which origins may talk to a server: as patterns are written, and as browsers send the header.
#include "core/origins.h"

#include <gtest/gtest.h>

namespace hearth::core {
namespace {

std::string packed(std::string_view origin) {
  std::string headers("Host\0x\0Origin\0", 14);
  headers.append(origin).push_back('\0');
  return headers;
}

bool passes(const Origins& origins, std::string_view origin,
            std::string_view url = "http://agents.example.com:8787/agents/a/b") {
  return !origins.refusal(packed(origin), url);
}

Origins only(const std::string& pattern) {
  Origins origins;
  const Status allowed = origins.allow(pattern);
  EXPECT_TRUE(allowed.ok()) << pattern;
  return origins;
}

TEST(Origins, WithoutARuleEveryPagePasses) {
  EXPECT_TRUE(passes(Origins(), "https://anywhere.example"));
  EXPECT_TRUE(passes(Origins(), "null"));
}

TEST(Origins, AnOriginIsComparedWhole) {
  const Origins origins = only("https://app.example.com");
  EXPECT_TRUE(passes(origins, "https://app.example.com"));
  EXPECT_TRUE(passes(origins, "https://APP.example.com"));
  EXPECT_TRUE(passes(origins, "https://app.example.com:443"));
  for (const char* other : {"http://app.example.com", "https://app.example.com:8443",
                            "https://app.example.com.evil.org", "https://evil-app.example.com",
                            "https://example.com", "null", "https://", "app.example.com",
                            "https://user@app.example.com", "https://app.example.com/"}) {
    EXPECT_FALSE(passes(origins, other)) << other;
  }
}

TEST(Origins, AStarStandsForNamesBelowOrAnyPort) {
  const Origins below = only("https://*.example.com");
  EXPECT_TRUE(passes(below, "https://a.example.com"));
  EXPECT_TRUE(passes(below, "https://a.b.example.com"));
  EXPECT_FALSE(passes(below, "https://example.com"));
  EXPECT_FALSE(passes(below, "https://evilexample.com"));
  EXPECT_FALSE(passes(below, "https://.example.com"));
  const Origins ports = only("http://box:*");
  EXPECT_TRUE(passes(ports, "http://box:3000"));
  EXPECT_TRUE(passes(ports, "http://box"));
  EXPECT_FALSE(passes(ports, "https://box:3000"));
}

TEST(Origins, LocalIsThisMachineOnAnyPort) {
  for (const Origins& origins : {Origins::local(), only("local")}) {
    for (const char* mine : {"http://localhost:5173", "https://localhost", "http://app.localhost:1",
                             "http://127.0.0.1:3000", "http://127.9.9.9", "http://[::1]:3000"}) {
      EXPECT_TRUE(passes(origins, mine)) << mine;
    }
    for (const char* other : {"http://127.0.0.1.evil.org", "http://localhost.evil.org", "null",
                              "http://[::2]:3000", "http://127.evil.org", "http://10.0.0.1"}) {
      EXPECT_FALSE(passes(origins, other)) << other;
    }
  }
}

TEST(Origins, TheServersOwnPagesAndThoseWithoutOriginPass) {
  const Origins origins = only("https://app.example.com");
  EXPECT_TRUE(passes(origins, "http://agents.example.com:8787"));
  EXPECT_FALSE(passes(origins, "http://agents.example.com:8788"));
  // A proxy ended TLS before us.
  EXPECT_TRUE(passes(origins, "https://agents.example.com", "http://agents.example.com/"));
  EXPECT_FALSE(passes(origins, "https://agents.example.com:8443", "http://agents.example.com/"));
  EXPECT_TRUE(passes(origins, "http://[::1]:8787", "http://[::1]:8787"));
  EXPECT_FALSE(origins.refusal(std::string_view("Host\0x\0", 7), "http://x/"));
}

TEST(Origins, ARefusalNamesTheHeaderAndTheOption) {
  const auto fault = only("local").refusal(packed("https://evil.example"), "http://127.0.0.1/");
  ASSERT_TRUE(fault);
  EXPECT_EQ(fault->code, "R410");
  EXPECT_EQ(fault->close_code(), 4403);
  EXPECT_NE(fault->message.find("Origin says \"https://evil.example\""), std::string::npos);
  EXPECT_NE(fault->fix.find("--allow-origin https://evil.example"), std::string::npos);
}

TEST(Origins, WhatIsNoOriginIsRefusedAsAPattern) {
  for (const char* wrong : {"app.example.com", "https://app.example.com/", "https://", "https://*",
                            "https://a.*.com", "http://localhost:any", "", "http://a:"}) {
    Origins origins;
    const Status status = origins.allow(wrong);
    EXPECT_FALSE(status.ok()) << wrong;
    EXPECT_TRUE(origins.any()) << "and changes nothing";
  }
  Origins all = Origins::local();
  EXPECT_TRUE(all.allow("*").ok());
  EXPECT_TRUE(all.allow("https://app.example.com").ok());
  EXPECT_TRUE(passes(all, "https://anywhere.example"));
}

}  // namespace
}  // namespace hearth::core
