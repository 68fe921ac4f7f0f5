export * as MemoryNetwork from "./MemoryNetwork.ts"
export * as MemoryReactor from "./MemoryReactor.ts"
