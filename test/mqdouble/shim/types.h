/*
 * Types, structures and functions of the MQI, for tests against the
 * queue-manager double. Written by hand after IBM's public documentation and
 * after what mq-golang uses; included by the generated cmqc.h, which defines the
 * constants. The assertions at the end compare every structure with the lengths
 * among those constants.
 */
#ifndef MQDOUBLE_TYPES_H
#define MQDOUBLE_TYPES_H

#include <stddef.h>
#include <stdint.h>

typedef char MQCHAR, *PMQCHAR;
typedef unsigned char MQBYTE;
typedef int8_t MQINT8;
typedef int16_t MQINT16;
typedef int32_t MQINT32;
typedef int64_t MQINT64;
typedef float MQFLOAT32;
typedef double MQFLOAT64;
typedef int32_t MQLONG, *PMQLONG;
typedef int32_t MQHCONN, *PMQHCONN;
typedef int32_t MQHOBJ, *PMQHOBJ;
typedef int64_t MQHMSG, *PMQHMSG;
typedef void *MQPTR, *PMQVOID;

typedef struct tagMQCHARV {
	MQPTR  VSPtr;
	MQLONG VSOffset;
	MQLONG VSBufSize;
	MQLONG VSLength;
	MQLONG VSCCSID;
} MQCHARV;
typedef MQCHARV *PMQCHARV;

/* Message descriptor */
typedef struct tagMQMD {
	MQCHAR StrucId[4];
	MQLONG Version;
	MQLONG Report;
	MQLONG MsgType;
	MQLONG Expiry;
	MQLONG Feedback;
	MQLONG Encoding;
	MQLONG CodedCharSetId;
	MQCHAR Format[8];
	MQLONG Priority;
	MQLONG Persistence;
	MQBYTE MsgId[24];
	MQBYTE CorrelId[24];
	MQLONG BackoutCount;
	MQCHAR ReplyToQ[48];
	MQCHAR ReplyToQMgr[48];
	MQCHAR UserIdentifier[12];
	MQBYTE AccountingToken[32];
	MQCHAR ApplIdentityData[32];
	MQLONG PutApplType;
	MQCHAR PutApplName[28];
	MQCHAR PutDate[8];
	MQCHAR PutTime[8];
	MQCHAR ApplOriginData[4];
	/* version 2 */
	MQBYTE GroupId[24];
	MQLONG MsgSeqNumber;
	MQLONG Offset;
	MQLONG MsgFlags;
	MQLONG OriginalLength;
} MQMD;
typedef MQMD *PMQMD;

/* Object descriptor */
typedef struct tagMQOD {
	MQCHAR  StrucId[4];
	MQLONG  Version;
	MQLONG  ObjectType;
	MQCHAR  ObjectName[48];
	MQCHAR  ObjectQMgrName[48];
	MQCHAR  DynamicQName[48];
	MQCHAR  AlternateUserId[12];
	/* version 2 */
	MQLONG  RecsPresent;
	MQLONG  KnownDestCount;
	MQLONG  UnknownDestCount;
	MQLONG  InvalidDestCount;
	MQLONG  ObjectRecOffset;
	MQLONG  ResponseRecOffset;
	MQPTR   ObjectRecPtr;
	MQPTR   ResponseRecPtr;
	/* version 3 */
	MQBYTE  AlternateSecurityId[40];
	MQCHAR  ResolvedQName[48];
	MQCHAR  ResolvedQMgrName[48];
	/* version 4 */
	MQCHARV ObjectString;
	MQCHARV SelectionString;
	MQCHARV ResObjectString;
	MQLONG  ResolvedType;
} MQOD;
typedef MQOD *PMQOD;

/* Options of MQGET */
typedef struct tagMQGMO {
	MQCHAR StrucId[4];
	MQLONG Version;
	MQLONG Options;
	MQLONG WaitInterval;
	MQLONG Signal1;
	MQLONG Signal2;
	MQCHAR ResolvedQName[48];
	/* version 2 */
	MQLONG MatchOptions;
	MQCHAR GroupStatus;
	MQCHAR SegmentStatus;
	MQCHAR Segmentation;
	MQCHAR Reserved1;
	/* version 3 */
	MQBYTE MsgToken[16];
	MQLONG ReturnedLength;
	/* version 4 */
	MQLONG Reserved2;
	MQHMSG MsgHandle;
} MQGMO;
typedef MQGMO *PMQGMO;

/* Options of MQPUT */
typedef struct tagMQPMO {
	MQCHAR StrucId[4];
	MQLONG Version;
	MQLONG Options;
	MQLONG Timeout;
	MQHOBJ Context;
	MQLONG KnownDestCount;
	MQLONG UnknownDestCount;
	MQLONG InvalidDestCount;
	MQCHAR ResolvedQName[48];
	MQCHAR ResolvedQMgrName[48];
	/* version 2 */
	MQLONG RecsPresent;
	MQLONG PutMsgRecFields;
	MQLONG PutMsgRecOffset;
	MQLONG ResponseRecOffset;
	MQPTR  PutMsgRecPtr;
	MQPTR  ResponseRecPtr;
	/* version 3 */
	MQHMSG OriginalMsgHandle;
	MQHMSG NewMsgHandle;
	MQLONG Action;
	MQLONG PubLevel;
} MQPMO;
typedef MQPMO *PMQPMO;

/* Security parameters */
typedef struct tagMQCSP {
	MQCHAR StrucId[4];
	MQLONG Version;
	MQLONG AuthenticationType;
	MQBYTE Reserved1[4];
	MQPTR  CSPUserIdPtr;
	MQLONG CSPUserIdOffset;
	MQLONG CSPUserIdLength;
	MQBYTE Reserved2[8];
	MQPTR  CSPPasswordPtr;
	MQLONG CSPPasswordOffset;
	MQLONG CSPPasswordLength;
	/* version 2 */
	MQBYTE Reserved3[8];
	MQPTR  InitialKeyPtr;
	MQLONG InitialKeyOffset;
	MQLONG InitialKeyLength;
	/* version 3 */
	MQBYTE Reserved4[8];
	MQPTR  TokenPtr;
	MQLONG TokenOffset;
	MQLONG TokenLength;
} MQCSP;
typedef MQCSP *PMQCSP;

/* TLS configuration */
typedef struct tagMQSCO {
	MQCHAR StrucId[4];
	MQLONG Version;
	MQCHAR KeyRepository[256];
	MQCHAR CryptoHardware[256];
	MQLONG AuthInfoRecCount;
	MQLONG AuthInfoRecOffset;
	MQPTR  AuthInfoRecPtr;
	/* version 2 */
	MQLONG KeyResetCount;
	MQLONG FipsRequired;
	/* version 3 */
	MQLONG EncryptionPolicySuiteB[4];
	/* version 4 */
	MQLONG CertificateValPolicy;
	/* version 5 */
	MQCHAR CertificateLabel[64];
	/* version 6 */
	MQPTR  KeyRepoPasswordPtr;
	MQLONG KeyRepoPasswordOffset;
	MQLONG KeyRepoPasswordLength;
	/* version 7 */
	MQLONG HTTPSCertValidation;
	MQLONG HTTPSCertRevocation;
	MQPTR  HTTPSKeyStorePtr;
	MQLONG HTTPSKeyStoreOffset;
	MQLONG HTTPSKeyStoreLength;
} MQSCO;
typedef MQSCO *PMQSCO;

/* Application balancing */
typedef struct tagMQBNO {
	MQCHAR StrucId[4];
	MQLONG Version;
	MQLONG ApplType;
	MQLONG Timeout;
	MQLONG Options;
} MQBNO;
typedef MQBNO *PMQBNO;

/* Options of MQCONNX */
typedef struct tagMQCNO {
	MQCHAR  StrucId[4];
	MQLONG  Version;
	MQLONG  Options;
	/* version 2 */
	MQLONG  ClientConnOffset;
	MQPTR   ClientConnPtr;
	/* version 3 */
	MQBYTE  ConnTag[128];
	/* version 4 */
	PMQSCO  SSLConfigPtr;
	MQLONG  SSLConfigOffset;
	/* version 5 */
	MQBYTE  ConnectionId[24];
	MQLONG  SecurityParmsOffset;
	PMQCSP  SecurityParmsPtr;
	/* version 6 */
	PMQCHAR CCDTUrlPtr;
	MQLONG  CCDTUrlOffset;
	MQLONG  CCDTUrlLength;
	MQBYTE  Reserved[8];
	/* version 7 */
	MQCHAR  ApplName[28];
	MQBYTE  Reserved2[4];
	/* version 8 */
	MQPTR   BalanceParmsPtr;
	MQLONG  BalanceParmsOffset;
	MQBYTE  Reserved3[4];
} MQCNO;
typedef MQCNO *PMQCNO;

/* Channel definition */
typedef struct tagMQCD {
	MQCHAR ChannelName[20];
	MQLONG Version;
	MQLONG ChannelType;
	MQLONG TransportType;
	MQCHAR Desc[64];
	MQCHAR QMgrName[48];
	MQCHAR XmitQName[48];
	MQCHAR ShortConnectionName[20];
	MQCHAR MCAName[20];
	MQCHAR ModeName[8];
	MQCHAR TpName[64];
	MQLONG BatchSize;
	MQLONG DiscInterval;
	MQLONG ShortRetryCount;
	MQLONG ShortRetryInterval;
	MQLONG LongRetryCount;
	MQLONG LongRetryInterval;
	MQCHAR SecurityExit[MQ_EXIT_NAME_LENGTH];
	MQCHAR MsgExit[MQ_EXIT_NAME_LENGTH];
	MQCHAR SendExit[MQ_EXIT_NAME_LENGTH];
	MQCHAR ReceiveExit[MQ_EXIT_NAME_LENGTH];
	MQLONG SeqNumberWrap;
	MQLONG MaxMsgLength;
	MQLONG PutAuthority;
	MQLONG DataConversion;
	MQCHAR SecurityUserData[MQ_EXIT_DATA_LENGTH];
	MQCHAR MsgUserData[MQ_EXIT_DATA_LENGTH];
	MQCHAR SendUserData[MQ_EXIT_DATA_LENGTH];
	MQCHAR ReceiveUserData[MQ_EXIT_DATA_LENGTH];
	/* version 2 */
	MQCHAR UserIdentifier[12];
	MQCHAR Password[12];
	MQCHAR MCAUserIdentifier[12];
	MQLONG MCAType;
	MQCHAR ConnectionName[264];
	MQCHAR RemoteUserIdentifier[12];
	MQCHAR RemotePassword[12];
	/* version 3 */
	MQCHAR MsgRetryExit[MQ_EXIT_NAME_LENGTH];
	MQCHAR MsgRetryUserData[MQ_EXIT_DATA_LENGTH];
	MQLONG MsgRetryCount;
	MQLONG MsgRetryInterval;
	/* version 4 */
	MQLONG HeartbeatInterval;
	MQLONG BatchInterval;
	MQLONG NonPersistentMsgSpeed;
	MQLONG StrucLength;
	MQLONG ExitNameLength;
	MQLONG ExitDataLength;
	MQLONG MsgExitsDefined;
	MQLONG SendExitsDefined;
	MQLONG ReceiveExitsDefined;
	MQPTR  MsgExitPtr;
	MQPTR  MsgUserDataPtr;
	MQPTR  SendExitPtr;
	MQPTR  SendUserDataPtr;
	MQPTR  ReceiveExitPtr;
	MQPTR  ReceiveUserDataPtr;
	/* version 5 */
	MQPTR  ClusterPtr;
	MQLONG ClustersDefined;
	MQLONG NetworkPriority;
	/* version 6 */
	MQLONG LongMCAUserIdLength;
	MQLONG LongRemoteUserIdLength;
	MQPTR  LongMCAUserIdPtr;
	MQPTR  LongRemoteUserIdPtr;
	MQBYTE MCASecurityId[40];
	MQBYTE RemoteSecurityId[40];
	/* version 7 */
	MQCHAR SSLCipherSpec[32];
	MQPTR  SSLPeerNamePtr;
	MQLONG SSLPeerNameLength;
	MQLONG SSLClientAuth;
	MQLONG KeepAliveInterval;
	MQCHAR LocalAddress[48];
	MQLONG BatchHeartbeat;
	/* version 8 */
	MQLONG HdrCompList[2];
	MQLONG MsgCompList[16];
	MQLONG CLWLChannelRank;
	MQLONG CLWLChannelPriority;
	MQLONG CLWLChannelWeight;
	MQLONG ChannelMonitoring;
	MQLONG ChannelStatistics;
	/* version 9 */
	MQLONG SharingConversations;
	MQLONG PropertyControl;
	MQLONG MaxInstances;
	MQLONG MaxInstancesPerClient;
	MQLONG ClientChannelWeight;
	MQLONG ConnectionAffinity;
	/* version 10 */
	MQLONG BatchDataLimit;
	MQLONG UseDLQ;
	MQLONG DefReconnect;
	/* version 11 */
	MQCHAR CertificateLabel[64];
	/* version 12 */
	MQLONG SPLProtection;
	/* version 13 */
	MQLONG QuantumSafeAlgorithm;
	MQLONG QuantumSafeRequired;
} MQCD;
typedef MQCD *PMQCD;

/* Message handles and properties */
typedef struct tagMQCMHO { MQCHAR StrucId[4]; MQLONG Version; MQLONG Options; } MQCMHO;
typedef MQCMHO *PMQCMHO;
typedef struct tagMQDMHO { MQCHAR StrucId[4]; MQLONG Version; MQLONG Options; } MQDMHO;
typedef MQDMHO *PMQDMHO;
typedef struct tagMQDMPO { MQCHAR StrucId[4]; MQLONG Version; MQLONG Options; } MQDMPO;
typedef MQDMPO *PMQDMPO;

typedef struct tagMQSMPO {
	MQCHAR StrucId[4];
	MQLONG Version;
	MQLONG Options;
	MQLONG ValueEncoding;
	MQLONG ValueCCSID;
} MQSMPO;
typedef MQSMPO *PMQSMPO;

typedef struct tagMQPD {
	MQCHAR StrucId[4];
	MQLONG Version;
	MQLONG Options;
	MQLONG Support;
	MQLONG Context;
	MQLONG CopyOptions;
} MQPD;
typedef MQPD *PMQPD;

typedef struct tagMQIMPO {
	MQCHAR  StrucId[4];
	MQLONG  Version;
	MQLONG  Options;
	MQLONG  RequestedEncoding;
	MQLONG  RequestedCCSID;
	MQLONG  ReturnedEncoding;
	MQLONG  ReturnedCCSID;
	MQLONG  Reserved1;
	MQCHARV ReturnedName;
	MQCHAR  TypeString[8];
} MQIMPO;
typedef MQIMPO *PMQIMPO;

/* Asynchronous consumption */
typedef struct tagMQCBC {
	MQCHAR StrucId[4];
	MQLONG Version;
	MQLONG CallType;
	MQHOBJ Hobj;
	MQPTR  CallbackArea;
	MQPTR  ConnectionArea;
	MQLONG CompCode;
	MQLONG Reason;
	MQLONG State;
	MQLONG DataLength;
	MQLONG BufferLength;
	MQLONG Flags;
	/* version 2 */
	MQLONG ReconnectDelay;
} MQCBC;
typedef MQCBC *PMQCBC;

typedef struct tagMQCBD {
	MQCHAR StrucId[4];
	MQLONG Version;
	MQLONG CallbackType;
	MQLONG Options;
	MQPTR  CallbackArea;
	MQPTR  CallbackFunction;
	MQCHAR CallbackName[128];
	MQLONG MaxMsgLength;
} MQCBD;
typedef MQCBD *PMQCBD;

typedef struct tagMQCTLO {
	MQCHAR StrucId[4];
	MQLONG Version;
	MQLONG Options;
	MQLONG Reserved;
	MQPTR  ConnectionArea;
} MQCTLO;
typedef MQCTLO *PMQCTLO;

/* Begin, publish and subscribe, status */
typedef struct tagMQBO { MQCHAR StrucId[4]; MQLONG Version; MQLONG Options; } MQBO;
typedef MQBO *PMQBO;
typedef struct tagMQSRO { MQCHAR StrucId[4]; MQLONG Version; MQLONG Options; MQLONG NumPubs; } MQSRO;
typedef MQSRO *PMQSRO;

typedef struct tagMQSD {
	MQCHAR  StrucId[4];
	MQLONG  Version;
	MQLONG  Options;
	MQCHAR  ObjectName[48];
	MQCHAR  AlternateUserId[12];
	MQBYTE  AlternateSecurityId[40];
	MQLONG  SubExpiry;
	MQCHARV ObjectString;
	MQCHARV SubName;
	MQCHARV SubUserData;
	MQBYTE  SubCorrelId[24];
	MQLONG  PubPriority;
	MQBYTE  PubAccountingToken[32];
	MQCHAR  PubApplIdentityData[32];
	MQCHARV SelectionString;
	MQLONG  SubLevel;
	MQCHARV ResObjectString;
} MQSD;
typedef MQSD *PMQSD;

typedef struct tagMQSTS {
	MQCHAR  StrucId[4];
	MQLONG  Version;
	MQLONG  CompCode;
	MQLONG  Reason;
	MQLONG  PutSuccessCount;
	MQLONG  PutWarningCount;
	MQLONG  PutFailureCount;
	MQLONG  ObjectType;
	MQCHAR  ObjectName[48];
	MQCHAR  ObjectQMgrName[48];
	MQCHAR  ResolvedObjectName[48];
	MQCHAR  ResolvedQMgrName[48];
	/* version 2 */
	MQCHARV ObjectString;
	MQCHARV SubName;
	MQLONG  OpenOptions;
	MQLONG  SubOptions;
} MQSTS;
typedef MQSTS *PMQSTS;

/* The verbs: all that libmqm_r.so exports */
#pragma GCC visibility push(default)
void MQCONNX(PMQCHAR, PMQCNO, PMQHCONN, PMQLONG, PMQLONG);
void MQDISC(PMQHCONN, PMQLONG, PMQLONG);
void MQOPEN(MQHCONN, PMQVOID, MQLONG, PMQHOBJ, PMQLONG, PMQLONG);
void MQCLOSE(MQHCONN, PMQHOBJ, MQLONG, PMQLONG, PMQLONG);
void MQPUT(MQHCONN, MQHOBJ, PMQVOID, PMQVOID, MQLONG, PMQVOID, PMQLONG, PMQLONG);
void MQPUT1(MQHCONN, PMQVOID, PMQVOID, PMQVOID, MQLONG, PMQVOID, PMQLONG, PMQLONG);
void MQGET(MQHCONN, MQHOBJ, PMQVOID, PMQVOID, MQLONG, PMQVOID, PMQLONG, PMQLONG, PMQLONG);
void MQCMIT(MQHCONN, PMQLONG, PMQLONG);
void MQBACK(MQHCONN, PMQLONG, PMQLONG);
void MQBEGIN(MQHCONN, PMQVOID, PMQLONG, PMQLONG);
void MQINQ(MQHCONN, MQHOBJ, MQLONG, PMQLONG, MQLONG, PMQLONG, MQLONG, PMQCHAR, PMQLONG, PMQLONG);
void MQSET(MQHCONN, MQHOBJ, MQLONG, PMQLONG, MQLONG, PMQLONG, MQLONG, PMQCHAR, PMQLONG, PMQLONG);
void MQSTAT(MQHCONN, MQLONG, PMQVOID, PMQLONG, PMQLONG);
void MQSUB(MQHCONN, PMQVOID, PMQHOBJ, PMQHOBJ, PMQLONG, PMQLONG);
void MQSUBRQ(MQHCONN, MQHOBJ, MQLONG, PMQVOID, PMQLONG, PMQLONG);
void MQCB(MQHCONN, MQLONG, PMQVOID, MQHOBJ, PMQVOID, PMQVOID, PMQLONG, PMQLONG);
void MQCTL(MQHCONN, MQLONG, PMQVOID, PMQLONG, PMQLONG);
void MQCRTMH(MQHCONN, PMQVOID, PMQHMSG, PMQLONG, PMQLONG);
void MQDLTMH(MQHCONN, PMQHMSG, PMQVOID, PMQLONG, PMQLONG);
void MQSETMP(MQHCONN, MQHMSG, PMQVOID, PMQVOID, PMQVOID, MQLONG, MQLONG, PMQVOID, PMQLONG, PMQLONG);
void MQDLTMP(MQHCONN, MQHMSG, PMQVOID, PMQVOID, PMQLONG, PMQLONG);
void MQINQMP(MQHCONN, MQHMSG, PMQVOID, PMQVOID, PMQVOID, PMQLONG, MQLONG, PMQVOID, PMQLONG, PMQLONG, PMQLONG);
#pragma GCC visibility pop

/* A structure's length is that of its newest version; of older ones it is where
   the next version's first field stands, rounded up where pointers want it. */
#define MQDOUBLE_LENGTH(type, length) _Static_assert(sizeof(type) == (length), #type)
#define MQDOUBLE_UNTIL(type, field, length) \
	_Static_assert(((offsetof(type, field) + 7) & ~7u) == (((length) + 7) & ~7u), #type " before " #field)

MQDOUBLE_LENGTH(MQCHARV, 24);
MQDOUBLE_LENGTH(MQMD, MQMD_LENGTH_2);
MQDOUBLE_UNTIL(MQMD, GroupId, MQMD_LENGTH_1);
MQDOUBLE_LENGTH(MQOD, MQOD_LENGTH_4);
MQDOUBLE_UNTIL(MQOD, RecsPresent, MQOD_LENGTH_1);
MQDOUBLE_UNTIL(MQOD, AlternateSecurityId, MQOD_LENGTH_2);
MQDOUBLE_UNTIL(MQOD, ObjectString, MQOD_LENGTH_3);
MQDOUBLE_LENGTH(MQGMO, MQGMO_LENGTH_4);
MQDOUBLE_UNTIL(MQGMO, MatchOptions, MQGMO_LENGTH_1);
MQDOUBLE_UNTIL(MQGMO, MsgToken, MQGMO_LENGTH_2);
MQDOUBLE_UNTIL(MQGMO, Reserved2, MQGMO_LENGTH_3);
MQDOUBLE_LENGTH(MQPMO, MQPMO_LENGTH_3);
MQDOUBLE_UNTIL(MQPMO, RecsPresent, MQPMO_LENGTH_1);
MQDOUBLE_UNTIL(MQPMO, OriginalMsgHandle, MQPMO_LENGTH_2);
MQDOUBLE_LENGTH(MQCSP, MQCSP_LENGTH_3);
MQDOUBLE_UNTIL(MQCSP, Reserved3, MQCSP_LENGTH_1);
MQDOUBLE_UNTIL(MQCSP, Reserved4, MQCSP_LENGTH_2);
MQDOUBLE_LENGTH(MQSCO, MQSCO_LENGTH_7);
MQDOUBLE_UNTIL(MQSCO, KeyResetCount, MQSCO_LENGTH_1);
MQDOUBLE_UNTIL(MQSCO, EncryptionPolicySuiteB, MQSCO_LENGTH_2);
MQDOUBLE_UNTIL(MQSCO, CertificateValPolicy, MQSCO_LENGTH_3);
MQDOUBLE_UNTIL(MQSCO, CertificateLabel, MQSCO_LENGTH_4);
MQDOUBLE_UNTIL(MQSCO, KeyRepoPasswordPtr, MQSCO_LENGTH_5);
MQDOUBLE_UNTIL(MQSCO, HTTPSCertValidation, MQSCO_LENGTH_6);
MQDOUBLE_LENGTH(MQBNO, MQBNO_LENGTH_1);
MQDOUBLE_LENGTH(MQCNO, MQCNO_LENGTH_8);
MQDOUBLE_UNTIL(MQCNO, ClientConnOffset, MQCNO_LENGTH_1);
MQDOUBLE_UNTIL(MQCNO, ConnTag, MQCNO_LENGTH_2);
MQDOUBLE_UNTIL(MQCNO, SSLConfigPtr, MQCNO_LENGTH_3);
MQDOUBLE_UNTIL(MQCNO, ConnectionId, MQCNO_LENGTH_4);
MQDOUBLE_UNTIL(MQCNO, CCDTUrlPtr, MQCNO_LENGTH_5);
MQDOUBLE_UNTIL(MQCNO, ApplName, MQCNO_LENGTH_6);
MQDOUBLE_UNTIL(MQCNO, BalanceParmsPtr, MQCNO_LENGTH_7);
MQDOUBLE_LENGTH(MQCD, MQCD_LENGTH_13);
MQDOUBLE_UNTIL(MQCD, UserIdentifier, MQCD_LENGTH_1);
MQDOUBLE_UNTIL(MQCD, MsgRetryExit, MQCD_LENGTH_2);
MQDOUBLE_UNTIL(MQCD, HeartbeatInterval, MQCD_LENGTH_3);
MQDOUBLE_UNTIL(MQCD, ClusterPtr, MQCD_LENGTH_4);
MQDOUBLE_UNTIL(MQCD, LongMCAUserIdLength, MQCD_LENGTH_5);
MQDOUBLE_UNTIL(MQCD, SSLCipherSpec, MQCD_LENGTH_6);
MQDOUBLE_UNTIL(MQCD, HdrCompList, MQCD_LENGTH_7);
MQDOUBLE_UNTIL(MQCD, SharingConversations, MQCD_LENGTH_8);
MQDOUBLE_UNTIL(MQCD, BatchDataLimit, MQCD_LENGTH_9);
MQDOUBLE_UNTIL(MQCD, CertificateLabel, MQCD_LENGTH_10);
MQDOUBLE_UNTIL(MQCD, SPLProtection, MQCD_LENGTH_11);
MQDOUBLE_UNTIL(MQCD, QuantumSafeAlgorithm, MQCD_LENGTH_12);
MQDOUBLE_LENGTH(MQCMHO, MQCMHO_LENGTH_1);
MQDOUBLE_LENGTH(MQDMHO, MQDMHO_LENGTH_1);
MQDOUBLE_LENGTH(MQDMPO, MQDMPO_LENGTH_1);
MQDOUBLE_LENGTH(MQSMPO, MQSMPO_LENGTH_1);
MQDOUBLE_LENGTH(MQPD, MQPD_LENGTH_1);
MQDOUBLE_LENGTH(MQIMPO, MQIMPO_LENGTH_1);
MQDOUBLE_LENGTH(MQCBC, MQCBC_LENGTH_2);
MQDOUBLE_UNTIL(MQCBC, ReconnectDelay, MQCBC_LENGTH_1);
MQDOUBLE_LENGTH(MQCBD, MQCBD_LENGTH_1);
MQDOUBLE_LENGTH(MQCTLO, MQCTLO_LENGTH_1);
MQDOUBLE_LENGTH(MQBO, MQBO_LENGTH_1);
MQDOUBLE_LENGTH(MQSRO, MQSRO_LENGTH_1);
MQDOUBLE_LENGTH(MQSD, MQSD_LENGTH_1);
MQDOUBLE_LENGTH(MQSTS, MQSTS_LENGTH_2);
MQDOUBLE_UNTIL(MQSTS, ObjectString, MQSTS_LENGTH_1);

#endif
