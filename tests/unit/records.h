// SPDX-License-Identifier: MIT
/*
 * Records as the hosts send them: the samples of API.md section 3. REAL26 is laid out as in
 * production, LEG_REAL and SEED have the legacy names; in SEED numbers and money are JSON numbers.
 */
#ifndef CDRFS_TESTS_RECORDS_H
#define CDRFS_TESTS_RECORDS_H

#define REAL26_UUID "f3f74402-59af-40b3-909c-80c50a4b063f"
#define REAL26                                                                                     \
    "{\"answer_time\": \"2026-09-18 08:51:54\", \"attestation_indicator\": \"C\", "                \
    "\"bill_duration\": 60, \"billed_duration\": 60, \"call_direction\": \"inbound\", "            \
    "\"call_duration\": 32, \"call_id\": \"459580122_124515270@206.146.101.14\", "                 \
    "\"call_uuid\": \"" REAL26_UUID "\", \"cnam_lookup\": false, "                                 \
    "\"cnam_lookup_rate\": \"0.00000\", \"end_time\": \"2026-09-18 08:52:26\", "                   \
    "\"from_country\": \"IN\", \"from_number\": \"+919902443540\", "                               \
    "\"hangup_cause_code\": 3000, \"hangup_cause_name\": \"normal_hangup\", "                      \
    "\"hangup_source\": \"carrier\", \"initiation_time\": \"2026-09-18 08:51:49\", "               \
    "\"secure_trunking\": false, \"secure_trunking_rate\": \"0.00000\", \"srtp\": false, "         \
    "\"stir_verification\": \"Not Verified\", \"to_country\": \"US\", "                            \
    "\"to_number\": \"+14155550100\", \"total_amount\": \"0.00280\", "                             \
    "\"total_rate\": \"0.00280\", \"transport_protocol\": \"tcp\", "                               \
    "\"trunk_domain\": \"42741122632602585.zt.plivo.com\"}"

#define REAL26_FILE                                                                                \
    "{\n"                                                                                          \
    "  \"answer_time\": \"2026-09-18 08:51:54\",\n"                                                \
    "  \"attestation_indicator\": \"C\",\n"                                                        \
    "  \"bill_duration\": 60,\n"                                                                   \
    "  \"billed_duration\": 60,\n"                                                                 \
    "  \"call_direction\": \"inbound\",\n"                                                         \
    "  \"call_duration\": 32,\n"                                                                   \
    "  \"call_id\": \"459580122_124515270@206.146.101.14\",\n"                                     \
    "  \"call_uuid\": \"" REAL26_UUID "\",\n"                                                      \
    "  \"cnam_lookup\": false,\n"                                                                  \
    "  \"cnam_lookup_rate\": \"0.00000\",\n"                                                       \
    "  \"end_time\": \"2026-09-18 08:52:26\",\n"                                                   \
    "  \"from_country\": \"IN\",\n"                                                                \
    "  \"from_number\": \"+919902443540\",\n"                                                      \
    "  \"hangup_cause_code\": 3000,\n"                                                             \
    "  \"hangup_cause_name\": \"normal_hangup\",\n"                                                \
    "  \"hangup_source\": \"carrier\",\n"                                                          \
    "  \"initiation_time\": \"2026-09-18 08:51:49\",\n"                                            \
    "  \"secure_trunking\": false,\n"                                                              \
    "  \"secure_trunking_rate\": \"0.00000\",\n"                                                   \
    "  \"srtp\": false,\n"                                                                         \
    "  \"stir_verification\": \"Not Verified\",\n"                                                 \
    "  \"to_country\": \"US\",\n"                                                                  \
    "  \"to_number\": \"+14155550100\",\n"                                                         \
    "  \"total_amount\": \"0.00280\",\n"                                                           \
    "  \"total_rate\": \"0.00280\",\n"                                                             \
    "  \"transport_protocol\": \"tcp\",\n"                                                         \
    "  \"trunk_domain\": \"42741122632602585.zt.plivo.com\"\n"                                     \
    "}\n"

#define SEED_UUID "6c3a8b60-26e0-4842-9387-2350de79f16b"
#define SEED                                                                                       \
    "{\"call_uuid\":\"" SEED_UUID "\",\"from_number\":552135006716,\"to_number\":12604109832,"     \
    "\"call_direction\":\"outbound\",\"duration\":28,\"bill_duration\":7200,"                      \
    "\"initiation_time\":\"2022-05-26 13:32:06\",\"answer_time\":\"2022-05-26 13:32:09\","         \
    "\"end_time\":\"2022-05-26 13:32:37\",\"hangup_cause\":\"normal_hangup\","                     \
    "\"hangup_code\":3010,\"hangup_initiator\":\"customer\",\"rate\":0.318,"                       \
    "\"total_amount\":0.318,\"trunk_id\":\"2969858100306124\",\"trunk_domain\":\"\","              \
    "\"region\":\"us-east-1\",\"from_country\":\"BR\",\"to_country\":\"US\","                      \
    "\"transport_protocol\":\"udp\",\"srtp\":false,\"secure_trunking\":true,"                      \
    "\"secure_trunking_rate\":0,\"stir_verification\":\"Not Verified\"}"

/* Unanswered, and no trunk_id although the documents list one. */
#define LEG_REAL                                                                                   \
    "{\"answer_time\":null,\"bill_duration\":0,"                                                   \
    "\"call_uuid\":\"11111111-2222-4333-8444-555555555555\",\"call_direction\":\"outbound\","      \
    "\"duration\":0,\"end_time\":\"2022-06-28 19:39:15\",\"from_number\":\"+14792020179\","        \
    "\"hangup_cause\":\"request_timeout_carrier\",\"hangup_code\":4160,"                           \
    "\"hangup_initiator\":\"carrier\",\"initiation_time\":\"2022-06-28 19:38:45\","                \
    "\"rate\":\"0.00650\",\"to_number\":\"+18326802467\",\"total_amount\":\"0.00000\","            \
    "\"trunk_domain\":\"25737385224693277.us-east-1.zt.plivo.com\"}"

#endif
