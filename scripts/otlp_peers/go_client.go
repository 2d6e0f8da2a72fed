// Sends a span, a metric and a log record with the Go SDK's exporters over gRPC and HTTP.
package main

import (
	"context"
	"log"
	"os"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	otellog "go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/metric"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func send(ctx context.Context, way string, spans sdktrace.SpanExporter, metrics sdkmetric.Exporter, logs sdklog.Exporter) {
	named := resource.NewSchemaless(attribute.String("service.name", "go-"+way))
	tracing := sdktrace.NewTracerProvider(sdktrace.WithBatcher(spans), sdktrace.WithResource(named))
	inside, parent := tracing.Tracer("peer").Start(ctx, "order", trace.WithAttributes(
		attribute.Int("order.items", 3), attribute.Bool("order.paid", true)))
	_, child := tracing.Tracer("peer").Start(inside, "price")
	child.End()
	parent.AddEvent("packed", trace.WithAttributes(attribute.Int("boxes", 2)))
	parent.End()

	measuring := sdkmetric.NewMeterProvider(sdkmetric.WithResource(named),
		sdkmetric.WithReader(sdkmetric.NewPeriodicReader(metrics)))
	sold := must(measuring.Meter("peer").Int64Counter("sold", metric.WithUnit("{piece}")))
	sold.Add(ctx, 3, metric.WithAttributes(attribute.String("kind", "book")))
	took := must(measuring.Meter("peer").Float64Histogram("took", metric.WithUnit("ms")))
	took.Record(ctx, 12.5)

	logging := sdklog.NewLoggerProvider(sdklog.WithResource(named), sdklog.WithProcessor(sdklog.NewBatchProcessor(logs)))
	var record otellog.Record
	record.SetTimestamp(time.Now())
	record.SetSeverity(otellog.SeverityWarn)
	record.SetSeverityText("WARN")
	record.SetBody(attribute.StringValue("no stock"))
	logging.Logger("peer").Emit(inside, record)

	must(0, tracing.Shutdown(ctx))
	must(0, measuring.Shutdown(ctx))
	must(0, logging.Shutdown(ctx))
}

func main() {
	ctx, done := context.WithTimeout(context.Background(), time.Minute)
	defer done()
	http, grpc := os.Args[1], os.Args[2]
	send(ctx, "grpc",
		must(otlptracegrpc.New(ctx, otlptracegrpc.WithEndpoint(grpc), otlptracegrpc.WithInsecure(), otlptracegrpc.WithCompressor("gzip"))),
		must(otlpmetricgrpc.New(ctx, otlpmetricgrpc.WithEndpoint(grpc), otlpmetricgrpc.WithInsecure())),
		must(otlploggrpc.New(ctx, otlploggrpc.WithEndpoint(grpc), otlploggrpc.WithInsecure())))
	send(ctx, "http",
		must(otlptracehttp.New(ctx, otlptracehttp.WithEndpoint(http), otlptracehttp.WithInsecure(), otlptracehttp.WithCompression(otlptracehttp.GzipCompression))),
		must(otlpmetrichttp.New(ctx, otlpmetrichttp.WithEndpoint(http), otlpmetrichttp.WithInsecure())),
		must(otlploghttp.New(ctx, otlploghttp.WithEndpoint(http), otlploghttp.WithInsecure())))
}
