export * as EndpointSocketServer from "./EndpointSocketServer.ts"
export * as TransportSocket from "./TransportSocket.ts"
export * as TransportStream from "./TransportStream.ts"
