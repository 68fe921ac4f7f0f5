/** Prints the hashes of some seeds: another process must print the same. */
import { gossipUnderFaults } from "./gossip.ts"
import * as World from "../../src/sim/World.ts"

const hashes = Array.from({ length: 30 }, (_, seed) => World.run(gossipUnderFaults, { seed }).hash)
process.stdout.write(hashes.join("\n"))
