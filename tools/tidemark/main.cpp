// The stand-alone program: looks at checkpoints, explains errors, and shows what Tidemark does.

#include <cstdint>
#include <filesystem>
#include <string>

#include <tidemark/cli/cli.hpp>

#include "demo.hpp"
#include "explain.hpp"

namespace {

// The example job is built and installed beside this program.
std::string fraud_program() { return std::filesystem::canonical("/proc/self/exe").replace_filename("fraud_detection"); }

}  // namespace

int main(int argc, char** argv) {
  using namespace tidemark;
  std::string code;
  std::uint64_t kills = 10;
  std::uint64_t seed = 1;
  std::uint64_t parallelism = 2;

  Cli cli("tidemark", "Stateful stream processing inside your own process.");
  cli.verb("explain", "Say what an error means and what to do", [&] { return tool::explain(code); })
      .option("code", code, "Such as TM0203")
      .required();
  cli.verb("demo", "Show what Tidemark does; needs no set-up", {});
  cli.verb("demo fraud", "Find planted frauds among generated card transactions", [&] { return demo::show_fraud(fraud_program()); });
  CliOptions& recovery =
      cli.verb("demo recovery", "Kill the fraud job again and again, and compare its output with an unbroken run's",
               [&] { return demo::show_recovery(fraud_program(), {.kills = kills, .seed = seed, .parallelism = parallelism}); });
  recovery.option("--kills", kills, "How often");
  recovery.option("--seed", seed, "Of the transactions and of the moments of the kills");
  recovery.option("--parallelism", parallelism, "Tasks per stage");
  return cli.run(argc, argv);
}
