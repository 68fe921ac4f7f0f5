/**
 * Runs the simulation with one seed after another, until one fails; then it shows a smaller run that fails as well.
 *
 *     node --conditions=source examples/replicated-log/seeds.ts careful 10000
 *     node --conditions=source examples/replicated-log/seeds.ts naive
 *     node --conditions=source examples/replicated-log/seeds.ts "does not fence"
 */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import { Shrink, World } from "spindle/sim"
import { careful, flaws, naive, type Rules } from "./LogRules.ts"
import { simulation, story, world } from "./Simulation.ts"

const known: Readonly<Record<string, Rules>> = {
  careful,
  naive,
  ...Object.fromEntries(Object.entries(flaws).map(([name, flaw]) => [name, { ...careful, ...flaw }]))
}

const [name = "careful", count = "1000", from = "0"] = process.argv.slice(2)
const rules = known[name]
if (rules === undefined) throw new Error(`one of ${Object.keys(known).join(", ")}`)

const print = (text: string) => process.stdout.write(`${text}\n`)
const begin = performance.now()
const cpu = process.cpuUsage()
const seconds = () => ((performance.now() - begin) / 1_000).toFixed(1)
let steps = 0

for (let seed = Number(from); seed < Number(from) + Number(count); seed++) {
  const run = World.run(simulation(rules), { ...world, seed })
  steps += run.steps
  if (Exit.isSuccess(run.exit)) continue
  print(`seed ${seed} fails after ${seconds()} s, ${run.steps} steps:`)
  print(String(Cause.squash(run.exit.cause)))
  const smaller = Shrink.shrink((overrides) => World.run(simulation(rules), { ...world, seed, overrides }))
  print(`\n${JSON.stringify(smaller.overrides)}: ${smaller.run.steps} steps\n`)
  print(story(smaller.run.history))
  process.exit(1)
}
const { system, user } = process.cpuUsage(cpu)
const spent = ((user + system) / 1e6).toFixed(1)
print(`${count} seeds survived: ${steps} steps, ${seconds()} s, ${spent} s of CPU`)
