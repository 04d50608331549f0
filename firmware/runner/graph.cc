// The graph's checks: see graph.h.
#include "graph.h"

#include "log.h"

namespace runner {
namespace {

using Indices = flatbuffers::Vector<int32_t>;

size_t ElementSize(tflite::TensorType type) {
  switch (type) {
    case tflite::TensorType_FLOAT32:
    case tflite::TensorType_INT32:
      return 4;
    case tflite::TensorType_INT16:
    case tflite::TensorType_FLOAT16:
      return 2;
    case tflite::TensorType_INT64:
    case tflite::TensorType_COMPLEX64:
      return 8;
    default:
      return 1;
  }
}

bool Refuse(Failure* failure, uint32_t a) {
  *failure = Failure{kAllocateFailed, a, 0, nullptr};
  return false;
}

// `least` is -1 where a tensor may be left out.
bool CheckIndices(const Indices* indices, int least, int tensors, Failure* failure) {
  if (indices == nullptr) {
    g_log.Print("The graph lacks a list of tensors");
    return Refuse(failure, 0);
  }
  for (size_t i = 0; i < indices->size(); ++i) {
    int index = indices->Get(i);
    if (index >= least && index < tensors) continue;
    g_log.Print("The graph names tensor %d of %d", index, tensors);
    return Refuse(failure, index);
  }
  return true;
}

bool CheckConstant(const tflite::Tensor* tensor, const uint8_t* data, uint32_t size, uint32_t number,
                   Failure* failure) {
  uint64_t wanted = ElementSize(tensor->type());
  for (size_t i = 0; tensor->shape() != nullptr && i < tensor->shape()->size(); ++i) wanted *= tensor->shape()->Get(i);
  if (wanted > size) {
    g_log.Print("Tensor %u is a constant of %u bytes, and only %u are there", number, static_cast<uint32_t>(wanted),
                size);
    return Refuse(failure, number);
  }
  uintptr_t address = reinterpret_cast<uintptr_t>(data);
  if (address % ElementSize(tensor->type()) == 0) return true;
  *failure = Failure{kModelMisaligned, static_cast<uint32_t>(address), 0, "constant tensor"};
  return false;
}

bool Has(const Indices* indices, int index) {
  for (int32_t one : *indices) {
    if (one == index) return true;
  }
  return false;
}

// Whether something is in tensor `index` by the time operator `before` runs.
bool IsSet(const tflite::Model* model, int index, uint32_t before) {
  const tflite::SubGraph* graph = model->subgraphs()->Get(0);
  const tflite::Tensor* tensor = graph->tensors()->Get(index);
  auto* data = model->buffers()->Get(tensor->buffer())->data();
  if ((data != nullptr && data->size() > 0) || tensor->is_variable() || Has(graph->inputs(), index)) return true;
  for (uint32_t i = 0; i < before; ++i) {
    if (Has(graph->operators()->Get(i)->outputs(), index)) return true;
  }
  return false;
}

// A tensor that nothing sets has no memory either: kernels would read address 0, which faults on a host, and on many
// a chip is the vector table.
bool CheckInputsAreSet(const tflite::Model* model, Failure* failure) {
  auto* operators = model->subgraphs()->Get(0)->operators();
  for (uint32_t i = 0; i < operators->size(); ++i) {
    for (int32_t index : *operators->Get(i)->inputs()) {
      if (index < 0 || IsSet(model, index, i)) continue;
      g_log.Print("Operator %d reads tensor %d, which nothing sets", i, index);
      return Refuse(failure, index);
    }
  }
  return true;
}

}  // namespace

bool CheckGraph(const tflite::Model* model, Failure* failure) {
  auto* subgraphs = model->subgraphs();
  if (subgraphs == nullptr || subgraphs->size() != 1) {
    g_log.Print("Only 1 subgraph is currently supported.");
    return Refuse(failure, subgraphs == nullptr ? 0 : subgraphs->size());
  }
  const tflite::SubGraph* graph = subgraphs->Get(0);
  if (graph->tensors() == nullptr || graph->operators() == nullptr || model->buffers() == nullptr) {
    g_log.Print("The graph lacks tensors, operators or buffers");
    return Refuse(failure, 0);
  }
  int tensors = graph->tensors()->size();
  if (!CheckIndices(graph->inputs(), 0, tensors, failure)) return false;
  if (!CheckIndices(graph->outputs(), 0, tensors, failure)) return false;
  for (const tflite::Operator* op : *graph->operators()) {
    if (!CheckIndices(op->inputs(), -1, tensors, failure)) return false;
    if (!CheckIndices(op->outputs(), 0, tensors, failure)) return false;
  }
  for (int i = 0; i < tensors; ++i) {
    const tflite::Tensor* tensor = graph->tensors()->Get(i);
    if (tensor->buffer() >= model->buffers()->size()) {
      g_log.Print("Tensor %d lies in buffer %u of %u", i, tensor->buffer(), model->buffers()->size());
      return Refuse(failure, i);
    }
    auto* data = model->buffers()->Get(tensor->buffer())->data();
    if (data == nullptr || data->size() == 0) continue;
    if (!CheckConstant(tensor, data->data(), data->size(), i, failure)) return false;
  }
  return CheckInputsAreSet(model, failure);
}

}  // namespace runner
