/**
 * The load generator of machines without a C compiler (or without epoll): the options and the JSON of load.c, but
 * slower than some servers it drives.
 */
import { createSocket } from "node:dgram"
import { readFileSync } from "node:fs"
import { connect } from "node:net"
import type { Socket } from "node:net"
import { createInterface } from "node:readline"
import { parseArgs } from "node:util"

const STALL_MILLIS = 5000
const SOURCES = 250

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    size: { type: "string", default: "64" },
    connections: { type: "string", default: "50" },
    "in-flight": { type: "string", default: "1" },
    slots: { type: "string", default: "64" },
    seconds: { type: "string", default: "1" },
    "line-file": { type: "string" }
  }
})
const [mode = "", port = "0"] = positionals
const connections = Number(values.connections)
const inFlight = Number(values["in-flight"])
const replies = mode === "request-reply-lines"

const print = (value: object): void => {
  process.stdout.write(`${JSON.stringify(value)}\n`)
}

const fail = (error: string): never => {
  throw new Error(error)
}

process.on("uncaughtException", (error) => {
  print({ error: error.message })
  process.exit(1)
})

let sources = process.pid
const dial = (): Socket => {
  const localAddress =
    process.platform === "linux" ? { localAddress: `127.0.0.${2 + (sources++ % SOURCES)}` } : {}
  const socket = connect({ port: Number(port), host: "127.0.0.1", noDelay: true, ...localAddress })
  return socket.on("error", (error) => fail(error.message))
}

const opened = (socket: Socket): Promise<void> =>
  new Promise((resolve) => socket.once("connect", () => resolve()))

const window = {
  open: true,
  messages: 0,
  all: 0,
  bytes: 0,
  ok: 0,
  other: 0,
  lost: 0,
  startedAt: 0,
  latencies: [] as Array<number>
}
let cpuAtStart = process.cpuUsage()
let inWindow: object | undefined

const openWindow = (): void => {
  cpuAtStart = process.cpuUsage()
  window.startedAt = performance.now()
}

const expired = (now: number): boolean => now - window.startedAt >= Number(values.seconds) * 1000

const closeWindow = (now: number): void => {
  window.open = false
  const cpu = process.cpuUsage(cpuAtStart)
  const latencies = Float64Array.from(window.latencies).sort()
  const quantile = (q: number) => (latencies[Math.floor(q * latencies.length)] ?? 0) * 1000
  inWindow = {
    generator: "node",
    messages: window.all,
    bytes: window.bytes,
    seconds: (now - window.startedAt) / 1000,
    userMicros: cpu.user,
    systemMicros: cpu.system,
    p50Micros: quantile(0.5),
    p99Micros: quantile(0.99)
  }
}

const finish = (): void => {
  const { system, user } = process.cpuUsage()
  print({
    ...inWindow,
    messagesAll: window.all,
    processMicros: user + system,
    ok: window.ok,
    other: window.other,
    lost: window.lost
  })
  process.exit(0)
}

let seen = -1
setInterval(() => {
  if (mode !== "idle" && seen === window.all) fail(`stalled: no answer for ${STALL_MILLIS} ms`)
  seen = window.all
}, STALL_MILLIS).unref()

/** The messages to send, one after another, and again from the start. */
const messages = (): ReadonlyArray<Buffer> => {
  if (replies) {
    const lines = readFileSync(values["line-file"] ?? fail("no line file"), "latin1").split(/(?<=\n)/)
    return lines.map((line) => Buffer.from(line.endsWith("\n") ? line : `${line}\n`, "latin1"))
  }
  const size = mode === "lines" ? 52 : Number(values.size)
  return Array.from({ length: Math.ceil(131072 / size) + 1 }, (_, unit) => {
    const bytes = Buffer.from(Array.from({ length: size }, (_, at) => 97 + ((unit * 7 + at * at) % 26)))
    if (mode === "lines") bytes.write("\r\n", size - 2)
    return bytes
  })
}

const runMessages = async (): Promise<void> => {
  const units = messages()
  let outstanding = 0
  const drive = (socket: Socket, first: number) => {
    let [unit, expected, offset] = [first, first, 0]
    let head = ""
    const sentAt: Array<number> = []
    const send = (count: number, now: number) => {
      const batch: Array<Buffer> = []
      for (let i = 0; i < count; i++) {
        batch.push(units[unit++ % units.length] ?? fail("no message"))
        sentAt.push(now)
      }
      outstanding += count
      socket.write(batch.length === 1 ? (batch[0] ?? "") : Buffer.concat(batch))
    }
    const countEchoed = (bytes: Buffer): number => {
      let done = 0
      for (let at = 0; at < bytes.length;) {
        const want = units[expected % units.length] ?? fail("no message")
        const piece = Math.min(want.length - offset, bytes.length - at)
        if (want.compare(bytes, at, at + piece, offset, offset + piece) !== 0) fail("wrong echo")
        at += piece
        offset += piece
        if (offset < want.length) continue
        offset = 0
        expected++
        done++
      }
      return done
    }
    const countReplies = (bytes: Buffer): number => {
      const lines = (head + bytes.toString("latin1")).split("\n")
      head = lines.pop() ?? ""
      for (const line of lines) window[line.startsWith("ok") ? "ok" : "other"]++
      return lines.length
    }
    socket.on("end", () => fail("the server closed a connection"))
    socket.on("data", (bytes: Buffer) => {
      const done = replies ? countReplies(bytes) : countEchoed(bytes)
      if (done > sentAt.length) fail("more came back than was sent")
      const now = performance.now()
      for (const sent of sentAt.splice(0, done)) if (window.open) window.latencies.push(now - sent)
      if (window.open) window.bytes += bytes.length
      window.all += done
      outstanding -= done
      if (window.open && expired(now)) closeWindow(now)
      if (window.open && done > 0) send(done, now)
      if (outstanding === 0) finish()
    })
    send(inFlight, performance.now())
  }
  const sockets = Array.from({ length: connections }, dial)
  await Promise.all(sockets.map(opened))
  openWindow()
  sockets.forEach((socket, index) => drive(socket, Math.floor((index * units.length) / connections)))
}

const runChurn = (): void => {
  let open = Number(values.slots)
  const slot = (): void => {
    const startedAt = performance.now()
    const socket = dial()
    socket.once("connect", () => socket.write("x"))
    socket.once("data", (bytes) => {
      if (String(bytes) !== "x") fail("wrong echo")
      const now = performance.now()
      socket.end()
      window.all++
      if (window.open) {
        window.bytes++
        window.latencies.push(now - startedAt)
        if (expired(now)) closeWindow(now)
      }
      if (window.open) slot()
      else if (--open === 0) finish()
    })
  }
  openWindow()
  for (let index = 0; index < open; index++) slot()
}

/** As load-udp.c: each place of a window is a ping-pong of its own; what is not answered in time counts as lost. */
const LOST_MILLIS = 1_000
const LOST_SHARE = 100

const runUdp = (): void => {
  const size = Number(values.size)
  if (size <= 4) fail("a datagram has more than 4 bytes here")
  let underWay = 0
  let answered = (): void => {}
  const ping = (send: (bytes: Buffer) => void, place: number) => {
    const state = { number: place, sentAt: 0 }
    const bytesOf = (number: number): Buffer => {
      const bytes = Buffer.from(Array.from({ length: size }, (_, at) => (number * 7 + at * at) % 251))
      bytes.writeUInt32LE(number)
      return bytes
    }
    const start = () => {
      underWay++
      state.sentAt = performance.now()
      send(bytesOf(state.number))
    }
    const next = () => {
      underWay--
      state.sentAt = 0
      state.number += inFlight
      if (window.open) start()
      answered()
    }
    const got = (bytes: Buffer, number: number) => {
      if (bytesOf(number).compare(bytes) !== 0) fail("wrong echo")
      if (number > state.number || (number === state.number && state.sentAt === 0))
        fail("more came back than was sent")
      // Counted as lost: too late.
      if (number < state.number) return
      const now = performance.now()
      window.all++
      if (window.open) {
        window.latencies.push(now - state.sentAt)
        window.bytes += bytes.length
        if (expired(now)) closeWindow(now)
      }
      next()
    }
    const look = () => {
      const now = performance.now()
      if (window.open && expired(now)) closeWindow(now)
      if (state.sentAt === 0 || now - state.sentAt < LOST_MILLIS) return
      window.lost++
      if (window.lost > 10 && window.lost * LOST_SHARE > window.all) fail(`${window.lost} datagrams lost`)
      next()
    }
    return { start, got, look }
  }
  const pings = Array.from({ length: connections }, () => {
    const socket = createSocket("udp4")
    const places = Array.from({ length: inFlight }, (_, place) => ping((bytes) => socket.send(bytes), place))
    socket
      .on("error", (error) => fail(error.message))
      .on("message", (bytes) => {
        const number = bytes.length === size ? bytes.readUInt32LE() : fail("wrong echo")
        places[number % inFlight]?.got(bytes, number)
      })
    socket.connect(Number(port), "127.0.0.1", () => {
      for (const place of places) place.start()
    })
    return places
  }).flat()
  answered = () => {
    if (underWay === 0 && !window.open) finish()
  }
  openWindow()
  setInterval(() => {
    for (const { look } of pings) look()
    answered()
  }, LOST_MILLIS / 5)
}

const runIdle = async (): Promise<void> => {
  const startedAt = performance.now()
  const sockets: Array<Socket> = []
  const echoByte = (socket: Socket) =>
    new Promise<void>((resolve) => {
      socket.once("data", (bytes) => (String(bytes) === "x" ? resolve() : fail("wrong echo")))
      socket.write("x")
    })
  while (sockets.length < connections) {
    const batch = Array.from({ length: Math.min(32, connections - sockets.length) }, dial)
    await Promise.all(batch.map(opened))
    sockets.push(...batch)
  }
  print({ open: connections, seconds: (performance.now() - startedAt) / 1000 })
  for await (const line of createInterface({ input: process.stdin })) {
    if (line === "close") break
    for (const socket of sockets) await echoByte(socket)
    print({ echoed: connections })
  }
  process.exit(0)
}

if (mode === "idle") await runIdle()
else if (mode === "churn") runChurn()
else if (mode === "udp") runUdp()
else await runMessages()
