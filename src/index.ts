/** The kernel: the reactor's contract, framings, protocols, servers and clients. */
export * from "./reactor/index.ts"
export * from "./framing/index.ts"
export * from "./protocol/index.ts"
