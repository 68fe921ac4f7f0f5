/** Runs a case: all its servers, rounds in turn. A server that is missing or fails becomes a row that says so. */
import { readdirSync } from "node:fs"
import { setTimeout as sleep } from "node:timers/promises"
import type { Case, IdleCase, RateCase, Server } from "./Case.ts"
import { busyMicros, childrenMicros, descriptorsMax, residentBytes } from "./machine.ts"
import { figure, runLoad, serverCpuMicros, startLoad, startServer } from "./processes.ts"
import type { RunningServer } from "./processes.ts"

/** How long and how often. */
export interface Profile {
  readonly name: string
  readonly rounds: number
  readonly seconds: number
  readonly warmUpSeconds: number
  /** Goes on warming up until so many were served. Default 0. */
  readonly warmUpMessages?: number
  readonly idleRounds: number
  readonly idleConnections: number
}

export const profiles = {
  default: {
    name: "default",
    rounds: 7,
    seconds: 0.6,
    warmUpSeconds: 0.8,
    idleRounds: 3,
    idleConnections: 10_000
  },
  quick: {
    name: "quick",
    rounds: 3,
    seconds: 0.35,
    warmUpSeconds: 0.3,
    idleRounds: 1,
    idleConnections: 10_000
  },
  smoke: { name: "smoke", rounds: 1, seconds: 0.05, warmUpSeconds: 0.03, idleRounds: 1, idleConnections: 200 }
} satisfies Record<string, Profile>

/** The figures of one round, by name; what they are called in the table is the report's business. */
export type Sample = Readonly<Record<string, number>>

export interface Row {
  readonly server: Server
  /** One for each round; a round in which the server did not run has none. */
  readonly samples: Array<Sample | undefined>
  /** Rounds left out because others used the machine meanwhile. */
  readonly disturbed: Array<Sample>
  /** Absent: not on this machine (or not written yet). Failed: it crashed, hung, or echoed something else. */
  problem?: { readonly kind: "absent" | "failed"; readonly reason: string }
}

export interface CaseResult {
  readonly case: Case
  readonly rows: ReadonlyArray<Row>
  /** Processor time that others used in the rounds that count, in cores (1: one whole core). */
  readonly othersCores: number | undefined
  /** How many rounds were left out as disturbed. */
  readonly roundsLeftOut: number
}

const SETTLE_MILLIS = 200
/** What is in flight from the beginning is all that is needed. */
const FILL_SECONDS = 0.01
const WARM_UPS_MAX = 7

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const failed = (row: Row, error: unknown): void => {
  row.problem = { kind: "failed", reason: messageOf(error) }
}

// The generator sees only a lost connection; when the server crashed, its own words come first.
const onServer = async <A>(server: RunningServer, run: () => Promise<A>): Promise<A> => {
  try {
    return await run()
  } catch (error) {
    await sleep(SETTLE_MILLIS)
    const words = server.conversation.lastWords
    throw words === undefined
      ? error
      : new Error(`the server crashed: ${words} (${messageOf(error)})`, { cause: error })
  }
}

const emptyRows = (servers: ReadonlyArray<Server>): ReadonlyArray<Row> =>
  servers.map((server) =>
    server.absent === undefined
      ? { server, samples: [], disturbed: [] }
      : { server, samples: [], disturbed: [], problem: { kind: "absent", reason: server.absent } }
  )

/** Calls `run` for each row without a problem, round after round, each round beginning with another row. */
const interleave = async (
  rows: ReadonlyArray<Row>,
  rounds: number,
  run: (row: Row) => Promise<Sample>
): Promise<void> => {
  for (let round = 0; round < rounds; round++) {
    for (let index = 0; index < rows.length; index++) {
      const row = rows[(index + round) % rows.length]
      if (row === undefined || row.problem !== undefined) continue
      try {
        row.samples[round] = await run(row)
      } catch (error) {
        failed(row, error)
      }
    }
  }
}

/** From this share of a core on, others on the machine disturbed a round. */
export const DISTURBED_CORES = 0.1

/** With fewer quiet rounds than this, all are used, and the report says that they are not to be trusted. */
const QUIET_ROUNDS_MIN = 3

const mean = (values: ReadonlyArray<number>): number | undefined =>
  values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0) / values.length

/** Leaves out the rounds in which others were busy; whole rounds, since rows are compared within a round. */
const leaveOutDisturbed = (rows: ReadonlyArray<Row>, rounds: number): Omit<CaseResult, "case" | "rows"> => {
  const others = Array.from({ length: rounds }, (_, round) =>
    mean(rows.flatMap((row) => row.samples[round]?.othersCores ?? []))
  )
  const disturbed = others.map((cores) => cores !== undefined && cores > DISTURBED_CORES)
  const quiet = others.flatMap((cores, round) =>
    cores === undefined || disturbed[round] === true ? [] : [cores]
  )
  if (quiet.length < QUIET_ROUNDS_MIN || quiet.length === rounds) {
    return { othersCores: mean(others.filter((cores) => cores !== undefined)), roundsLeftOut: 0 }
  }
  for (const row of rows) {
    for (let round = 0; round < rounds; round++) {
      const sample = row.samples[round]
      if (sample === undefined || disturbed[round] !== true) continue
      row.disturbed.push(sample)
      row.samples[round] = undefined
    }
  }
  return { othersCores: mean(quiet), roundsLeftOut: disturbed.filter(Boolean).length }
}

const measureRate = async (
  test: RateCase,
  generator: ReadonlyArray<string>,
  profile: Profile
): Promise<CaseResult> => {
  const rows = emptyRows(test.servers)
  const running = new Map<Row, RunningServer>()
  const load = (
    server: RunningServer,
    seconds: number,
    { load, mode }: Pick<RateCase, "load" | "mode"> = test,
    look = async () => {}
  ) =>
    onServer(server, () =>
      runLoad(generator, mode, server.port, [...load, "--seconds", String(seconds)], look)
    )

  const warmUp = async (server: RunningServer): Promise<void> => {
    const { warmUpMessages = 0, warmUpSeconds } = profile
    let served = 0
    for (let runs = 0; runs === 0 || (served < warmUpMessages && runs < WARM_UPS_MAX); runs++) {
      served += (await load(server, warmUpSeconds)).messagesAll
    }
  }

  const round = async (row: Row): Promise<Sample> => {
    const server = running.get(row)
    if (server === undefined) throw new Error("not running")
    const startedAt = performance.now()
    const machineBefore = busyMicros()
    const harnessBefore = process.cpuUsage()
    const childrenBefore = childrenMicros(server.conversation.pid)
    const before = await serverCpuMicros(server)
    const looks: Array<number> = []
    const result = await load(server, profile.seconds, test, async () => {
      looks.push(await serverCpuMicros(server))
    })
    const allMicros = (await serverCpuMicros(server)) - before
    const [opened, done] = looks
    const serverMicros = opened === undefined || done === undefined ? allMicros : done - opened
    const machineMicros = busyMicros() - machineBefore
    const harness = process.cpuUsage(harnessBefore)
    // The server behind a port forward.
    const children =
      row.server.isWrapper === true ? 0 : childrenMicros(server.conversation.pid) - childrenBefore
    const othersMicros =
      machineMicros - allMicros - children - result.processMicros - harness.user - harness.system
    const wallMicros = (performance.now() - startedAt) * 1000
    const perSecond = result.messages / result.seconds
    const cpuMicrosPerMessage = serverMicros / result.messagesAll
    return {
      rate: test.unit === "MB/s" ? result.bytes / result.seconds / 1e6 : perSecond,
      cpuMicrosPerMessage,
      serverBusy: (cpuMicrosPerMessage * perSecond) / 1e6,
      generatorBusy: result.cpuMicros / result.seconds / 1e6,
      p50Micros: result.p50Micros,
      p99Micros: result.p99Micros,
      ...(Number.isNaN(othersMicros) ? {} : { othersCores: othersMicros / wallMicros }),
      ...(test.mode === "request-reply-lines" ? { ok: result.ok, other: result.other } : {}),
      ...(test.mode === "udp" ? { lost: result.lost } : {})
    }
  }

  try {
    for (const row of rows) {
      if (row.problem !== undefined) continue
      try {
        const server = await startServer(row.server)
        running.set(row, server)
        if (test.filledBy !== undefined) await load(server, FILL_SECONDS, test.filledBy)
        await warmUp(server)
      } catch (error) {
        failed(row, error)
      }
    }
    await interleave(rows, profile.rounds, round)
  } finally {
    await Promise.all(Array.from(running.values(), (server) => server.conversation.stop()))
  }
  return { case: test, rows, ...leaveOutDisturbed(rows, profile.rounds) }
}

const WARM_UP_CONNECTIONS = 100

const memory = async (server: RunningServer): Promise<{ readonly rss: number; readonly heap: number }> => {
  await sleep(SETTLE_MILLIS)
  const stats = await server.conversation.ask("stats")
  return {
    rss: residentBytes(server.conversation.pid) ?? figure(stats, "rssBytes"),
    heap: typeof stats.heapUsedBytes === "number" ? stats.heapUsedBytes : NaN
  }
}

/** Fails unless the server really holds that many sockets: some may wait unaccepted in the backlog. */
const expectDescriptors = (server: RunningServer, connections: number): void => {
  let open: number
  try {
    open = readdirSync(`/proc/${server.conversation.pid}/fd`).length
  } catch {
    return
  }
  if (open < connections) throw new Error(`only ${open} descriptors open for ${connections} connections`)
}

// Resident memory does not shrink again, so each sample is a process of its own.
const measureIdle = async (
  test: IdleCase,
  generator: ReadonlyArray<string>,
  profile: Profile
): Promise<CaseResult> => {
  const rows = emptyRows(test.servers)
  const connections = Math.min(profile.idleConnections, descriptorsMax - 100)

  const open = async (server: RunningServer, count: number) => {
    const client = startLoad(generator, "idle", server.port, ["--connections", String(count)])
    try {
      return { client, seconds: figure(await client.answer(60_000), "seconds") }
    } catch (error) {
      await client.stop()
      throw error
    }
  }

  const sample = async (server: RunningServer): Promise<Sample> => {
    const warm = await open(server, Math.min(WARM_UP_CONNECTIONS, connections))
    await warm.client.ask("echo")
    await warm.client.stop()
    const base = await memory(server)
    const { client, seconds } = await open(server, connections)
    try {
      const idle = await memory(server)
      expectDescriptors(server, connections)
      await client.ask("echo")
      const used = await memory(server)
      return {
        rate: (idle.rss - base.rss) / connections,
        heapBytes: (idle.heap - base.heap) / connections,
        usedBytes: (used.rss - base.rss) / connections,
        baseBytes: base.rss,
        openSeconds: seconds,
        connections
      }
    } finally {
      await client.stop()
    }
  }

  const round = async (row: Row): Promise<Sample> => {
    const server = await startServer(row.server)
    try {
      return await onServer(server, () => sample(server))
    } finally {
      await server.conversation.stop()
    }
  }

  await interleave(rows, profile.idleRounds, round)
  return { case: test, rows, othersCores: undefined, roundsLeftOut: 0 }
}

export const measure = (
  test: Case,
  generator: ReadonlyArray<string>,
  profile: Profile
): Promise<CaseResult> =>
  test.kind === "rate" ? measureRate(test, generator, profile) : measureIdle(test, generator, profile)
