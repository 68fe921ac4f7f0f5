export * as NodeReactor from "./NodeReactor.ts"
export * as NodeSignals from "./NodeSignals.ts"
