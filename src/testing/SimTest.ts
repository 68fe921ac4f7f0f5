/**
 * Simulated worlds as tests, for a runner that has `it.live` (`@effect/vitest`):
 *
 * ```ts
 * const it = SimTest.extend(base, { fs, keep: `${import.meta.filename}.seeds.json` })
 * it.sim("nothing acknowledged is lost", { seeds: 200 }, program)
 * ```
 *
 * A seed that fails is told with a smaller run that fails as well, its diagram, and the command that replays it. It is kept,
 * and from then on runs first. `SIM_SEED` runs one seed, `SIM_SEEDS` another number of them, `SIM_OVERRIDES` a smaller run.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Diagram from "../sim/Diagram.ts"
import * as Shrink from "../sim/Shrink.ts"
import type * as World from "../sim/World.ts"
import { run } from "../sim/World.ts"
import * as SeedList from "./SeedList.ts"

export interface Options extends Omit<World.Options, "seed" | "overrides"> {
  /** How many seeds, from 0 on. Default 100. */
  readonly seeds?: number | undefined
  /** Seeds that run first, whatever was kept. */
  readonly first?: ReadonlyArray<number | string> | undefined
  /** Looks at a run that came to its end; throwing fails the seed. Default: a program that fails does. */
  readonly expect?: ((run: World.Run) => void) | undefined
  /** Whether a smaller run is looked for. Default `true`. */
  readonly shrink?: boolean | undefined
  /** Milliseconds for all seeds. Default 120,000. */
  readonly timeout?: number | undefined
}

export interface Settings {
  /** What reads and writes the list of seeds: `node:fs`. Without it nothing is kept. */
  readonly fs?: SeedList.Files | undefined
  /** The file of that list. */
  readonly keep?: string | undefined
  /** What is set from outside. Default: the variables of the process. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined
  /** How a test is run alone; for the message. Default: `npx vitest run -t NAME`. */
  readonly command?: ((name: string) => string) | undefined
}

type Program<A, E> = Effect.Effect<A, E, World.World | World.Provided>

/** Declares a test: the program in a world of each seed. */
export type Sim = <A, E>(name: string, options: Options, program: Program<A, E>) => void

type Live = (name: string, test: () => Effect.Effect<void>, timeout?: number) => unknown

/** What is needed of a runner. */
export interface Runner {
  readonly live: Live & { readonly only: Live; readonly skip: Live }
}

/** The runner, with `it.sim`, `it.sim.only` and `it.sim.skip`. */
export const extend = <It extends Runner>(
  it: It,
  settings: Settings = {}
): It & { readonly sim: Sim & { readonly only: Sim; readonly skip: Sim } } => {
  const declaring =
    (live: Live): Sim =>
    (name, options, program) =>
      void live(name, () => all(name, options, program, settings), options.timeout ?? timeoutDefault)
  const sim = Object.assign(declaring(it.live), {
    only: declaring(it.live.only),
    skip: declaring(it.live.skip)
  })
  return new Proxy(it, {
    get: (target, key, receiver) => (key === "sim" ? sim : Reflect.get(target, key, receiver))
  }) as It & { readonly sim: typeof sim }
}

const timeoutDefault = 120_000
const seedsDefault = 100
const shrinkTriesMax = 100

/** Runs the seeds one after another, those that failed before first; dies with the story of the first that fails. */
export const all = <A, E>(
  name: string,
  options: Options,
  program: Program<A, E>,
  settings: Settings = {}
): Effect.Effect<void> =>
  Effect.gen(function* () {
    const env = settings.env ?? environment()
    const list = SeedList.make(settings.fs, settings.keep)
    const execute = (seed: number | string, overrides: World.Overrides = {}) =>
      run(program, { ...options, seed, overrides })
    for (const seed of seedsOf(env, options, list.of(name))) {
      const overrides = overridesOf(env)
      const made = execute(seed, overrides)
      const problem = problemOf(made, options)
      if (problem !== undefined) {
        if (env["SIM_SEED"] === undefined && env["CI"] === undefined) list.add(name, seed)
        const smaller =
          (options.shrink ?? true) && Exit.isFailure(made.exit) && Object.keys(overrides).length === 0
            ? Shrink.shrink((less) => execute(seed, less), { triesMax: shrinkTriesMax })
            : undefined
        return yield* Effect.die(new SimFailed(name, settings, seed, problem, made, smaller))
      }
      // The runner is asked whether it still wants to know.
      yield* Effect.yieldNow
    }
  })

const problemOf = (made: World.Run, { expect }: Options): unknown => {
  const { exit } = made
  if (Exit.isFailure(exit)) return Cause.squash(exit.cause)
  try {
    expect?.(made)
    return undefined
  } catch (error) {
    return error
  }
}

const environment = (): Readonly<Record<string, string | undefined>> =>
  (globalThis as { readonly process?: { readonly env: Record<string, string | undefined> } }).process?.env ??
  {}

const seedsOf = (
  env: Readonly<Record<string, string | undefined>>,
  { first = [], seeds = seedsDefault }: Options,
  kept: ReadonlyArray<number | string>
): Iterable<number | string> => {
  const one = env["SIM_SEED"]
  if (one !== undefined) return [/^\d+$/.test(one) ? Number(one) : one]
  const count = Number(env["SIM_SEEDS"] ?? seeds)
  return new Set([...first, ...kept, ...Array.from({ length: count }, (_, seed) => seed)])
}

const overridesOf = (env: Readonly<Record<string, string | undefined>>): World.Overrides => {
  const given = env["SIM_OVERRIDES"]
  return given === undefined ? {} : (JSON.parse(given) as World.Overrides)
}

/** A seed of a simulated test failed: its message is all that is needed to see it again. */
export class SimFailed extends Error {
  readonly seed: number | string
  readonly run: World.Run
  readonly smaller: Shrink.Shrunk | undefined

  constructor(
    name: string,
    settings: Settings,
    seed: number | string,
    problem: unknown,
    run: World.Run,
    smaller: Shrink.Shrunk | undefined
  ) {
    const command = settings.command?.(name) ?? `npx vitest run -t ${JSON.stringify(name)}`
    const replay = `SIM_SEED=${seed}`
    const last = smaller?.run ?? run
    const lines = [
      `seed ${seed}: ${problem instanceof Error ? `${problem.name}: ${problem.message}` : String(problem)}`,
      `  again:    ${replay} ${command}`,
      ...(smaller === undefined || Object.keys(smaller.overrides).length === 0
        ? []
        : [
            `  smaller:  ${replay} SIM_OVERRIDES='${JSON.stringify(smaller.overrides)}' ${command}`,
            `            ${run.steps} steps became ${smaller.run.steps}, in ${smaller.tries} tries`
          ]),
      "",
      Diagram.text(last.history)
    ]
    super(lines.join("\n"), { cause: problem })
    this.name = "SimFailed"
    this.seed = seed
    this.run = run
    this.smaller = smaller
  }
}
