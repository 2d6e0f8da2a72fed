// Sends a span, a metric and a log record with each of the Node SDK's exporters.
import {context, trace} from '@opentelemetry/api';
import {SeverityNumber} from '@opentelemetry/api-logs';
import {resourceFromAttributes} from '@opentelemetry/resources';
import {BatchSpanProcessor, NodeTracerProvider} from '@opentelemetry/sdk-trace-node';
import {MeterProvider, PeriodicExportingMetricReader} from '@opentelemetry/sdk-metrics';
import {BatchLogRecordProcessor, LoggerProvider} from '@opentelemetry/sdk-logs';

const [, , http, grpc] = process.argv;
const resource = (way) => resourceFromAttributes({'service.name': `node-${way}`});

async function send(way, compression) {
  const load = async (signal, name) => (await import(`@opentelemetry/exporter-${signal}-otlp-${way}`))[name];
  const options = (path) =>
    way === 'grpc' ? {url: `http://${grpc}`, compression} : {url: `http://${http}/v1/${path}`, compression};

  const Traces = await load('trace', 'OTLPTraceExporter');
  const tracing = new NodeTracerProvider({
    resource: resource(way),
    spanProcessors: [new BatchSpanProcessor(new Traces(options('traces')))],
  });
  const tracer = tracing.getTracer('peer');
  const parent = tracer.startSpan('order', {attributes: {'order.items': 3, 'order.paid': true}});
  tracer.startSpan('price', {}, trace.setSpan(context.active(), parent)).end();
  parent.addEvent('packed', {boxes: 2});
  parent.end();

  const Metrics = await load('metrics', 'OTLPMetricExporter');
  const reader = new PeriodicExportingMetricReader({exporter: new Metrics(options('metrics'))});
  const measuring = new MeterProvider({resource: resource(way), readers: [reader]});
  measuring.getMeter('peer').createCounter('sold', {unit: '{piece}'}).add(3, {kind: 'book'});
  measuring.getMeter('peer').createHistogram('took', {unit: 'ms'}).record(12.5);

  const Logs = await load('logs', 'OTLPLogExporter');
  const exporter = new Logs(options('logs'));
  const logging = new LoggerProvider({
    resource: resource(way),
    processors: [new BatchLogRecordProcessor({exporter})],
  });
  logging.getLogger('peer').emit({severityNumber: SeverityNumber.WARN, severityText: 'WARN', body: 'no stock'});

  for (const provider of [tracing, measuring, logging]) {
    await provider.forceFlush();
    await provider.shutdown();
  }
}

for (const way of ['http', 'proto', 'grpc']) await send(way, 'gzip');
