/** What is measured: the cases, their servers, and the goals. A new case is one more entry of `cases`. */
import type { Case, Goal, RateCase, Server } from "./Case.ts"
import { pin } from "./machine.ts"
import { each, inC, onNode, onTwisted, ours, pull, raw } from "./programs.ts"
import { readingsFile } from "./readings.ts"
import { tlsCases } from "./tlsCases.ts"
import { udp } from "./udpCase.ts"

const peers: ReadonlyArray<Server> = [
  onNode(raw, "node-net.ts"),
  onNode("Effect NodeSocketServer", "effect-socket.ts"),
  onTwisted("twisted-echo.py"),
  ...ours("spindle-echo.ts")
]
const echoServers: ReadonlyArray<Server> = [inC, ...peers]

const echoGoals: ReadonlyArray<Goal> = [
  { row: each, over: raw, relation: ">=", bound: 0.95 },
  { row: pull, over: raw, relation: ">=", bound: 0.85 }
]

const connections = ["--connections", "50"]

const naive = "node:net, a write per line"
const naiveFrames = "node:net, a write per frame"
const rawPipe = "node:net, pipe"
const forward = "spindle Forward"

/** In front of the echo server in C, which runs on the generator's core. */
const behind = { BACKEND: [...pin("load"), ...inC.command].join(" ") }
const forwards: ReadonlyArray<Server> = [
  onNode(rawPipe, "node-net-pipe.ts", behind),
  onTwisted("twisted-forward.py", behind),
  onNode(forward, "spindle-forward.ts", behind)
].map((server) => ({ ...server, absent: inC.absent ?? server.absent }))

export const cases: ReadonlyArray<Case> = [
  {
    kind: "rate",
    name: "echo-1",
    title: "echo, 64 bytes, 50 connections, 1 in flight",
    unit: "msgs/s",
    per: "message",
    mode: "echo",
    load: [...connections, "--size", "64", "--in-flight", "1"],
    servers: echoServers,
    reference: raw,
    goals: echoGoals
  },
  {
    kind: "rate",
    name: "echo-16",
    title: "echo, 64 bytes, 50 connections, 16 in flight",
    unit: "msgs/s",
    per: "message",
    mode: "echo",
    load: [...connections, "--size", "64", "--in-flight", "16"],
    servers: echoServers,
    reference: raw,
    goals: echoGoals
  },
  {
    kind: "rate",
    name: "blocks",
    title: "echo, blocks of 64 KiB, 8 connections, 1 in flight",
    unit: "MB/s",
    per: "block",
    mode: "echo",
    load: ["--connections", "8", "--size", "65536", "--in-flight", "1"],
    servers: [...echoServers, onNode("node:net, Effect imported", "node-net-effect.ts")],
    reference: raw,
    goals: [{ row: each, over: raw, relation: ">=", bound: 0.97 }]
  },
  {
    kind: "rate",
    name: "lines",
    title: "lines of 52 bytes echoed, 50 connections, 16 in flight",
    unit: "lines/s",
    per: "line",
    mode: "lines",
    load: [...connections, "--in-flight", "16"],
    servers: [
      inC,
      onNode(naive, "node-net-lines.ts", { NAGLE: "0" }),
      onNode(`${naive}, Nagle on`, "node-net-lines.ts", { NAGLE: "1" }),
      onTwisted("twisted-lines.py"),
      ...ours("spindle-lines.ts")
    ],
    reference: naive,
    goals: [
      { row: each, over: naive, relation: ">=", bound: 5 },
      { row: each, over: "Twisted", relation: ">=", bound: 1.6 }
    ]
  },
  {
    kind: "rate",
    name: "frames",
    title: "frames of 48 bytes behind a length of 4, 50 connections, 16 in flight",
    unit: "frames/s",
    per: "frame",
    mode: "frames",
    load: [...connections, "--in-flight", "16"],
    servers: [
      inC,
      onNode(naiveFrames, "node-net-frames.ts"),
      onTwisted("twisted-frames.py"),
      ...ours("spindle-frames.ts")
    ],
    reference: naiveFrames,
    goals: [
      { row: each, over: naiveFrames, relation: ">=", bound: 5 },
      { row: each, over: "Twisted", relation: ">=", bound: 1.6 }
    ]
  },
  {
    kind: "rate",
    name: "forward",
    title: "port forward to an echo server, 64 bytes, 50 connections, 16 in flight",
    unit: "msgs/s",
    per: "message",
    mode: "echo",
    load: [...connections, "--size", "64", "--in-flight", "16"],
    servers: forwards,
    reference: rawPipe,
    goals: [{ row: forward, over: rawPipe, relation: ">=", bound: 0.9 }]
  },
  {
    kind: "rate",
    name: "forward-blocks",
    title: "port forward to an echo server, blocks of 64 KiB, 8 connections, 1 in flight",
    unit: "MB/s",
    per: "block",
    mode: "echo",
    load: ["--connections", "8", "--size", "65536", "--in-flight", "1"],
    servers: forwards,
    reference: rawPipe,
    goals: [{ row: forward, over: rawPipe, relation: ">=", bound: 0.9 }]
  },
  {
    kind: "rate",
    name: "churn",
    title: "connect, one byte echoed, close; 64 at a time",
    unit: "conn/s",
    per: "connection",
    mode: "churn",
    load: ["--slots", "64"],
    servers: echoServers,
    reference: raw,
    goals: [
      { row: each, over: raw, relation: ">=", bound: 0.8 },
      { row: each, over: "Twisted", relation: ">", bound: 1 }
    ]
  },
  udp,
  ...tlsCases,
  ...[1, 50].map((connections): RateCase => ({
    kind: "rate",
    name: `gateway-${connections}`,
    title: `readings acknowledged by the gateway, ${connections} connection${connections === 1 ? "" : "s"}, 256 in flight`,
    unit: "lines/s",
    per: "line",
    mode: "request-reply-lines",
    load: ["--connections", String(connections), "--in-flight", "256", "--line-file", readingsFile()],
    servers: [onNode("gateway", "gateway.ts")],
    reference: "gateway",
    goals: []
  })),
  {
    kind: "idle",
    name: "idle",
    title: "memory of the server per idle connection",
    servers: peers,
    reference: raw,
    goals: [{ row: each, over: raw, relation: "<=", bound: 1.5 }]
  }
]
