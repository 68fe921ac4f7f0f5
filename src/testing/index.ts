export * as Chunking from "./Chunking.ts"
export * as CodecLaws from "./CodecLaws.ts"
export * as ReactorSuite from "./ReactorSuite.ts"
export * as TransportSuite from "./TransportSuite.ts"
